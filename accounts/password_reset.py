"""A forgotten password is replaced by who reads the account's mailbox."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction

from todo_project.api.errors import ValidationFailed
from todo_project.api.throttling import count_up

from . import login_guard
from .models import User

logger = logging.getLogger(__name__)

PER_HOUR = 3

# Mail is sent aside: by the time it takes, the answer would tell whether there is such an account.
_postman = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")


def send_token(email: str) -> None:
    """Send a token to this email if it is an account's; say nothing about it either way."""
    user = User.objects.active().filter(email=email).first()
    sent, _ = count_up(f"reset:{email}", period=3600)
    if user is None or sent > PER_HOUR:
        return
    token = f"{user.pk.hex}.{default_token_generator.make_token(user)}"
    transaction.on_commit(lambda: _postman.submit(deliver, email, token))


def deliver(email: str, token: str) -> None:
    where = settings.PASSWORD_RESET_URL.replace("{token}", token) if settings.PASSWORD_RESET_URL else token
    hours = settings.PASSWORD_RESET_TIMEOUT // 3600
    try:
        send_mail(
            "Choose a new password",
            "Somebody, probably you, asked for a new password for your to-do account.\n\n"
            f"    {where}\n\n"
            f"This is good for {hours} hour and for one change. If it was not you, there is nothing to do.\n",
            None,
            [email],
        )
    except OSError:
        # smtplib's exceptions are OSErrors too.
        logger.exception("A mail with a password reset could not be sent.")


def set_password(user: User, password: str, *, at: datetime) -> None:
    """Set the password, by which the token is used up, and end every session."""
    user.change_password(password, at=at)
    login_guard.clear_account_failures(user.email or "")


def user_of_token(token: str) -> User:
    user_id, _, secret = token.partition(".")
    try:
        user = User.objects.active().filter(pk=user_id).first()
    except (ValueError, ValidationError):
        user = None
    if user is None or not default_token_generator.check_token(user, secret):
        raise ValidationFailed.of(
            "token", "invalid", "This token has expired or was already used. Request a new one."
        )
    return user
