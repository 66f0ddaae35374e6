"""Dashboard panels: users and failed sign-ins."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from todo_project.admin.charts import Chart, Series, format_capped
from todo_project.admin.dashboard import (
    Figures,
    Tile,
    TimeSpan,
    day_label,
    estimated_tile,
    last_days,
    last_hours,
    list_url,
    list_urls,
    panel,
)
from todo_project.db.counting import Sample, capped_counts

from .models import FailedLogin, User

WEEK = timedelta(days=7)
COUNT_LIMIT = 50_000
"""Failed sign-ins that are counted, both per hour and per week."""


@panel("Users", permission="accounts.view_user", order=20)
def users(at: datetime) -> Figures:
    sample = Sample(User.objects.all())
    in_sample = sample.rows.stats(new_since=at - WEEK)
    counts = sample.extrapolate(in_sample, among=in_sample["all"])
    return [
        estimated_tile("total", counts["all"], sample, url=list_url(User)),
        estimated_tile("new in 7 days", counts["new"], sample, url=list_url(User, created_at__gte=at - WEEK)),
    ]


@panel("Failed sign-ins", permission="accounts.view_failedlogin", order=30)
def failed_sign_ins(at: datetime) -> Figures:
    """A successful sign-in clears the earlier failures from its address, so those are not counted."""
    failures, hours, days = FailedLogin.objects, last_hours(24, at=at), last_days(7, at=at)
    since = {"in 24 hours": at - timedelta(days=1), "in 7 days": at - WEEK}
    in_spans = [failures.between(*span) for span in [*hours, *days]]
    in_a_day, in_a_week, *counts = capped_counts(
        COUNT_LIMIT, [*map(failures.since, since.values()), *in_spans]
    )
    tiles = [
        Tile(label, format_capped(count, COUNT_LIMIT), url=list_url(FailedLogin, at__gte=start))
        for (label, start), count in zip(since.items(), [in_a_day, in_a_week], strict=True)
    ]
    if not in_a_week:
        return [*tiles]
    return [
        *tiles,
        chart("Failed sign-ins per hour", [f"{start:%H:%M}" for start, _ in hours], counts[:24], hours),
        chart("Failed sign-ins per day", [day_label(start) for start, _ in days], counts[24:], days),
    ]


def chart(title: str, labels: list[str], counts: list[int], spans: Sequence[TimeSpan]) -> Chart:
    series = Series("failed", counts, list_urls(FailedLogin, "at", spans))
    return Chart(title, labels, [series], limit=COUNT_LIMIT, empty="None.")
