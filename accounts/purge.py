"""What proved who somebody was, and does not any more."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from todo_project.operations.purging import Kind, in_batches, rows

from .login_guard import WINDOW
from .models import FailedLogin, PersonalToken, Session


def _purge_sessions(before: datetime) -> Iterator[int]:
    """One after the other: for both at once the database would read all sessions."""
    for sentence, order in ((Session.objects.expired, "expires_at"), (Session.objects.ended, "ended_at")):
        yield from in_batches(sentence(at=before).order_by(order))


# An address from which somebody has signed in is familiar to the login guard for as long.
SESSIONS = Kind(
    "sessions",
    "sessions that have expired or ended",
    days=30,
    count=lambda before: Session.objects.over(at=before).count(),
    purge=_purge_sessions,
)
TOKENS = rows(
    "tokens",
    "personal access tokens that have expired",
    lambda before: PersonalToken.objects.expired(at=before).order_by("expires_at"),
    days=30,
)
# The login guard needs minutes; staff look at a week of them.
FAILED_LOGINS = rows(
    "failed-logins",
    "sign-ins that failed",
    lambda before: FailedLogin.objects.before(before).order_by("at"),
    days=7,
    fewest=math.ceil(WINDOW / timedelta(days=1)),
)
