"""The numbers of a user's tasks."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Subquery

from .dates import end_of_day
from .kinds import TASK
from .ledger.counts import number_of, read_counts
from .querysets import TaskQuerySet, is_overdue

STATES = ("open", "completed", "overdue", "trashed")
MAX_GROUPS = 1000


def count_tasks(
    tasks: TaskQuerySet, user: Any, *, now: datetime, zone: ZoneInfo, by: str | None
) -> tuple[dict[str, Any], datetime]:
    """The numbers, and the time until which they stay the same unless a task is changed."""
    today = now.astimezone(zone).date()
    overdue = is_overdue(at=now, today=today)
    counts = read_counts(
        TASK,
        user,
        overdue=number_of(tasks.filter(overdue)),
        next_due=Subquery(tasks.next_due(at=now).values("due_by")[:1]),
    )
    stats: dict[str, Any] = {state: counts.get(state, 0) for state in STATES}
    if by:
        groups = {
            "project": lambda: tasks.count_by_project(overdue),
            "label": lambda: tasks.count_by_label(overdue),
            "due": lambda: tasks.count_by_due(overdue, zone),
        }
        names = (by, "open", "completed", "overdue")
        stats["by"] = [dict(zip(names, group, strict=True)) for group in groups[by]()[:MAX_GROUPS]]
    midnight = end_of_day(today, zone)
    return stats, min(counts.get("next_due") or midnight, midnight)
