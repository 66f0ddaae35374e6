"""Confirming who a signed-in caller is, before changes that cannot be undone."""

from datetime import datetime, timedelta

from todo_project.api.errors import Forbidden, ValidationFailed

from . import login_guard
from .authentication import BearerAuthentication, Credential, SignedInRequest
from .errors import InvalidToken, WrongPassword
from .models import Session, User

MAX_SIGN_IN_AGE = timedelta(minutes=10)


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
    """Require the password or, from users without one, a recent sign-in."""
    if request.user.has_usable_password():
        if password is None:
            raise ValidationFailed.of("password", "required", "Password is required.")
        confirm_password(request, password, field="password", at=at)
    elif not is_recent_sign_in(request.auth, at=at):
        raise Forbidden("Sign in again first. Deleting an account requires a sign-in of the last 10 minutes.")


def confirm_linking(request: SignedInRequest, password: str | None, *, at: datetime) -> None:
    """Require the password or a recent sign-in: an identity outlives changes of the password."""
    if request.auth.personal_token:
        raise Forbidden("A personal access token cannot link identities. Sign in instead.")
    if password is not None:
        confirm_password(request, password, field="password", at=at)
    elif not is_recent_sign_in(request.auth, at=at):
        raise Forbidden(
            "Send your password, or sign in again first. Linking an identity requires a sign-in of the last "
            "10 minutes."
        )


def is_recent_sign_in(credential: Credential, *, at: datetime) -> bool:
    """Whether a session has started or an identity provider has issued the token a short time ago."""
    since = at - MAX_SIGN_IN_AGE
    if credential.session:
        return Session.objects.filter(pk=credential.session, created_at__gt=since).exists()
    return credential.issued_at is not None and credential.issued_at > since.timestamp()
