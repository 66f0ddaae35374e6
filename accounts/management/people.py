from django.core.management.base import CommandError

from accounts.models import User


def find_user(email_or_id: str) -> User:
    user = User.objects.find(email_or_id)
    if user is None:
        raise CommandError(f"There is no account with the email or id {email_or_id}.")
    return user
