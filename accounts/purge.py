"""Retention of sessions, personal tokens, failed logins and erasures."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from todo_project.operations.purging import PurgePolicy, delete_in_batches, policies

from .login_guard import WINDOW
from .models import ErasedIdentity, FailedLogin, PersonalToken, Session


def _purge_sessions(before: datetime) -> Iterator[int]:
    """In two steps: one condition for both would make the database read all sessions."""
    for condition, order in ((Session.objects.expired, "expires_at"), (Session.objects.ended, "ended_at")):
        yield from delete_in_batches(condition(at=before).order_by(order))


policies["sessions"] = PurgePolicy(
    "sessions that have expired or ended",
    lambda before: Session.objects.expired(at=before) | Session.objects.ended(at=before),
    # As long as a session is kept, the login guard trusts the addresses that used it.
    days=30,
    delete=_purge_sessions,
)
policies["tokens"] = PurgePolicy(
    "expired personal access tokens",
    lambda before: PersonalToken.objects.expired(at=before).order_by("expires_at"),
    days=30,
)
policies["failed-logins"] = PurgePolicy(
    "failed sign-ins",
    lambda before: FailedLogin.objects.before(before).order_by("at"),
    # The login guard needs minutes; staff look at a week of them.
    days=7,
    minimum_days=math.ceil(WINDOW / timedelta(days=1)),
)
policies["erasures"] = PurgePolicy(
    "hashes of the identities of erased users",
    lambda before: ErasedIdentity.objects.before(before).order_by("erased_at"),
    # Longer than the tokens of any identity provider are valid.
    days=366,
    minimum_days=31,
)
