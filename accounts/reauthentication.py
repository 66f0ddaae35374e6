"""Confirming who a signed-in caller is, before changes that cannot be undone."""

from datetime import datetime, timedelta

from todo_project.api.errors import Forbidden, ValidationFailed

from . import login_guard
from .authentication import BearerAuthentication, SignedInRequest
from .errors import InvalidToken, WrongPassword
from .models import User

MAX_TOKEN_AGE = timedelta(minutes=10)


def confirm_password(request: SignedInRequest, password: str, *, field: str, at: datetime) -> None:
    """Raise WrongPassword unless this is the caller's password; wrong ones count as failed logins."""
    source = f"session {request.auth.session}" if request.auth.session else "token"
    correct = login_guard.check_password_counted(request.user, password, source, at=at)
    if not correct or not request.user.lock_password():
        raise WrongPassword.of(field, "wrong", "The password is incorrect.")


def lock_account(request: SignedInRequest) -> None:
    """Lock the user's row and authenticate again, before a change of credentials.

    Otherwise a session or token that ends meanwhile could leave credentials behind.
    """
    user = request.user
    User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    authenticated = BearerAuthentication().authenticate(request)
    # A token of an identity that was unlinked meanwhile has made another account.
    if authenticated is None or authenticated[0] != user:
        raise InvalidToken
    request.user, request.auth = authenticated


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
