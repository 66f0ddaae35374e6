"""What the admin's first page tells of people and their sign-ins."""

from datetime import datetime, timedelta

from todo_project.admin.dashboard import (
    Chart,
    Series,
    Tile,
    counted,
    day,
    last_days,
    last_hours,
    panel,
    up_to,
)
from todo_project.db.counting import Sample, counts_up_to

from .models import FailedLogin, User

WEEK = timedelta(days=7)
MOST = 50_000
"""Failures are counted up to this, in an hour as in a week."""


@panel("Users", permission="accounts.view_user")
def users(at: datetime) -> list[Tile | Chart]:
    sample = Sample(User.objects.all())
    seen = sample.rows.stats(new_since=at - WEEK)
    counts = sample.of_all(seen, among=seen["all"])
    return [counted("in all", counts["all"], sample), counted("new in 7 days", counts["new"], sample)]


@panel("Failed sign-ins", permission="accounts.view_failedlogin")
def failed_sign_ins(at: datetime) -> list[Tile | Chart]:
    """Those that no success from the same address has followed: that one clears them."""
    failures, hours, days = FailedLogin.objects, last_hours(24, at=at), last_days(7, at=at)
    spans = [failures.between(*span) for span in [*hours, *days]]
    lately = [failures.since(at - timedelta(days=1)), failures.since(at - WEEK)]
    in_a_day, in_a_week, *counts = counts_up_to(MOST, [*lately, *spans])
    return [
        Tile("in 24 hours", up_to(MOST, in_a_day)),
        Tile("in 7 days", up_to(MOST, in_a_week)),
        Chart(
            "Failed sign-ins per hour",
            [f"{start:%H:%M}" for start, _ in hours],
            [Series("failed", counts[:24])],
            most=MOST,
            empty="None.",
        ),
        Chart(
            "Failed sign-ins per day",
            [day(start) for start, _ in days],
            [Series("failed", counts[24:])],
            most=MOST,
            empty="None.",
        ),
    ]
