"""Who a command is about, and how it ends."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError

from accounts.models import User
from todo_project.api.errors import ApiError
from todo_project.db.errors import Refused, diagnose


def person(email_or_id: str) -> User:
    user = User.objects.find(email_or_id)
    if user is None:
        raise CommandError(f"There is no account with the email or id {email_or_id}.")
    return user


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Around a transaction: says why it came to nothing, where a stack would tell an operator less."""
    try:
        yield
    except KeyboardInterrupt:
        raise CommandError("Interrupted. Nothing was changed.", returncode=130) from None
    except ApiError as error:
        raise CommandError(f"{error.message} Nothing was changed.") from error
    except DatabaseError as error:
        meaning = diagnose(error)
        if meaning is None:
            raise
        why = meaning.message if isinstance(meaning, Refused) else str(error)
        raise CommandError(f"The database refused this, and nothing was changed: {why}") from error
