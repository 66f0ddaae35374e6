"""The doctor's checks of accounts."""

from collections.abc import Iterator
from http.client import HTTPException

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.db import DatabaseError

from todo_project.operations.doctor.redaction import redacted
from todo_project.operations.doctor.runner import app_checks

from . import jwks
from .models import User


@app_checks.register("identity providers")
def identity_providers() -> Iterator[CheckMessage]:
    """Fetches their keys as the server does."""
    for issuer in settings.TRUSTED_ISSUERS.values():
        if issuer.secret:
            continue
        try:
            number = len(jwks.fetch_keys(issuer.jwks_url))
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            yield checks.Error(
                f"The keys of {issuer.issuer} cannot be fetched: {redacted(error)}",
                hint="Correct jwks_url in TRUSTED_ISSUERS, or let this machine reach it. Its tokens get 503.",
            )
        else:
            yield checks.Info(f"The keys of {issuer.issuer} can be fetched ({number}).")


@app_checks.register("second factor")
def second_factors() -> Iterator[CheckMessage]:
    """Whether staff members can enter the code that the admin asks for."""
    if not settings.STAFF_SECOND_FACTOR:
        return
    try:
        without = User.objects.active().staff().filter(totpdevice=None).count()
    except DatabaseError:
        return  # Reported by another check.
    if without:
        yield checks.Warning(
            f"Staff members without a second factor, who cannot sign in: {without}.",
            hint="Run `manage.py second_factor` for each of them.",
        )
    else:
        yield checks.Info("All staff members have a second factor.")
