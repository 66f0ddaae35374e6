"""The doctor's checks of accounts."""

from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPException

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.utils import timezone

from todo_project.operations.doctor.redaction import redacted
from todo_project.operations.doctor.runner import app_checks, app_database_checks

from . import jwks
from .models import FailedLogin, Session, User

MAX_SIGN_INS = 1000


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


@app_database_checks.register("second factor")
def second_factors() -> Iterator[CheckMessage]:
    """Whether staff members can enter the code that the admin asks for."""
    if not settings.STAFF_SECOND_FACTOR:
        return
    without = User.objects.active().staff().filter(totpdevice=None).count()
    if without:
        yield checks.Warning(
            f"Staff members without a second factor, who cannot sign in: {without}.",
            hint="They set it up under Two-factor authentication in the admin while the setting is off, or "
            "`manage.py second_factor` gives them recovery codes.",
        )
    else:
        yield checks.Info("All staff members have a second factor.")


@app_database_checks.register("client addresses")
def client_addresses() -> Iterator[CheckMessage]:
    """Whether the server could read the addresses of clients that signed in within the last day."""
    since = timezone.now() - timedelta(days=1)
    # Both lists are read from an index; there is none on the creation of sessions.
    sessions = Session.objects.order_by("-expires_at").values_list("address", "created_at")
    failures = FailedLogin.objects.order_by("-at").values_list("address", "at")
    sign_ins = [*sessions[:MAX_SIGN_INS], *failures[:MAX_SIGN_INS]]
    recent = [address for address, at in sign_ins if at > since]
    unreadable = recent.count("")
    summary = f"Recent sign-ins from an address that cannot be read: {unreadable} of {len(recent)}."
    if unreadable:
        yield checks.Warning(
            summary,
            hint="Set TRUSTED_PROXY_COUNT to the number of proxies in front, and let each of them append its "
            "client's address to X-Forwarded-For. Until then, nothing is limited by address.",
        )
    else:
        yield checks.Info(summary)
