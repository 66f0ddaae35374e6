"""Password reset by email."""

import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.mail import send_mail
from django.db import transaction
from django.template.defaultfilters import pluralize

from todo_project.api.errors import ValidationFailed
from todo_project.api.throttling import count_up

from . import login_guard, tokens
from .models import Identity, PersonalToken, User

logger = logging.getLogger(__name__)

MAX_MAILS_PER_HOUR = 3


class TokenGenerator(PasswordResetTokenGenerator):
    def _make_hash_value(self, user: User, timestamp: int) -> str:
        """Without last_login: somebody who knows the old password could sign in to invalidate the token."""
        return f"{user.pk} {user.password} {user.email} {timestamp}"


token_generator = TokenGenerator()

# Mail is sent in the background: the response time would reveal whether the account exists.
_mail_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")


def send_token(email: str) -> None:
    """Send a token to this email if it belongs to an active account."""
    user = User.objects.active().filter(email=email).first()
    # Hashed, because Django's warnings about cache keys contain the key.
    requests, _ = count_up(f"reset:{tokens.digest(email)}", period=3600)
    if user is None or requests > MAX_MAILS_PER_HOUR:
        return
    token = f"{user.pk.hex}.{token_generator.make_token(user)}"
    transaction.on_commit(lambda: _mail_executor.submit(deliver, email, token))


def deliver(email: str, token: str) -> None:
    link_or_token = settings.PASSWORD_RESET_URL.replace("{token}", token) or token
    hours = settings.PASSWORD_RESET_TIMEOUT // 3600
    try:
        send_mail(
            "Reset your password",
            "We received a request to reset the password of your to-do account.\n\n"
            f"    {link_or_token}\n\n"
            f"This works once and expires in {hours} hour{pluralize(hours)}. "
            "If you did not request it, ignore this email.\n",
            None,
            [email],
        )
    except OSError as error:
        # smtplib's exceptions are OSErrors too. Their messages contain the recipient.
        logger.error("A password reset email could not be sent: %s", type(error).__name__)


def set_password(user: User, password: str, *, at: datetime) -> None:
    """Set the password, which invalidates the token, and end or delete all other credentials.

    Whoever reads the user's mail owns the account; somebody else may have created the others.
    """
    user.change_password(password, at=at)
    PersonalToken.objects.for_user(user).delete()
    Identity.objects.for_user(user).delete()
    login_guard.clear_account_failures(user.email or "")


def user_id_of(token: str) -> uuid.UUID | None:
    """The user whom the token names, if it is a token; this verifies nothing."""
    try:
        return uuid.UUID(token.partition(".")[0])
    except ValueError:
        return None


def lock_user_of_token(token: str) -> User:
    """Lock the row first: a token works once, also in parallel requests."""
    user = User.objects.active().select_for_update(no_key=True).filter(pk=user_id_of(token)).first()
    if user is None or not token_generator.check_token(user, token.partition(".")[2]):
        raise ValidationFailed.of(
            "token", "invalid", "This token has expired or was already used. Request a new one."
        )
    return user
