"""What the doctor asks on behalf of this room."""

from collections.abc import Iterator
from http.client import HTTPException

from django.conf import settings

from todo_project.doctor.findings import Finding, ok, problem, said

from . import jwks


def outside_issuers() -> Iterator[Finding]:
    """Whether their keys can be had from here, just as the server fetches them."""
    for issuer in settings.TRUSTED_ISSUERS.values():
        if issuer.secret:
            continue
        try:
            number = len(jwks.read(issuer.jwks_url))
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            yield problem(
                f"The keys of {issuer.issuer} cannot be had: {said(error)}",
                "Correct jwks_url in TRUSTED_ISSUERS, or let this machine reach it; its tokens get 503.",
            )
        else:
            yield ok(f"The keys of {issuer.issuer} can be had ({number}).")
