"""Confirming who a signed-in caller is, before changes that cannot be undone."""

from datetime import datetime, timedelta

from todo_project.api.addresses import client_address
from todo_project.api.errors import Forbidden, ValidationFailed

from . import login_guard
from .authentication import SignedInRequest
from .errors import WrongPassword

MAX_TOKEN_AGE = timedelta(minutes=10)


def confirm_password(request: SignedInRequest, password: str, *, field: str, at: datetime) -> None:
    """Raise WrongPassword unless this is the caller's password; wrong ones count as failed logins."""
    address = client_address(request._request)
    if not login_guard.check_password_counted(request.user, password, address, at=at):
        raise WrongPassword.of(field, "wrong", "The password is incorrect.")


def confirm_deletion(request: SignedInRequest, password: str | None, *, at: datetime) -> None:
    """Require the password or, from users without one, a recent token of their identity provider."""
    if request.user.has_usable_password():
        if password is None:
            raise ValidationFailed.of("password", "required", "Password is required.")
        confirm_password(request, password, field="password", at=at)
        return
    issued_at = request.auth.issued_at
    if issued_at is None or at.timestamp() - issued_at > MAX_TOKEN_AGE.total_seconds():
        raise Forbidden("Sign in again first. Deleting an account requires a token less than 10 minutes old.")
