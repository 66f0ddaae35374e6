"""What the doctor asks on behalf of this room."""

from collections.abc import Iterator
from http.client import HTTPException

from django.conf import settings
from django.db import DatabaseError

from todo_project.operations.doctor.findings import Finding, ok, problem, said, warning

from . import jwks
from .models import User


def outside_issuers() -> Iterator[Finding]:
    """Whether their keys can be had from here, just as the server fetches them."""
    for issuer in settings.TRUSTED_ISSUERS.values():
        if issuer.secret:
            continue
        try:
            number = len(jwks.fetch_keys(issuer.jwks_url))
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            yield problem(
                f"The keys of {issuer.issuer} cannot be had: {said(error)}",
                "Correct jwks_url in TRUSTED_ISSUERS, or let this machine reach it; its tokens get 503.",
            )
        else:
            yield ok(f"The keys of {issuer.issuer} can be had ({number}).")


def second_factors() -> Iterator[Finding]:
    """Whether those who are asked for a code have one."""
    if not settings.STAFF_SECOND_FACTOR:
        return
    try:
        without = User.objects.active().staff().filter(totpdevice=None).count()
    except DatabaseError:
        return  # Its own check tells of that.
    if without:
        yield warning(
            f"{without} of the staff cannot sign in: they are asked for a code, and have no second factor.",
            "Run `manage.py second_factor` for each of them.",
        )
    else:
        yield ok("All of the staff have a second factor.")
