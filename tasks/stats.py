"""The numbers of a user's tasks."""

from datetime import UTC, datetime, time
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import DateField, DateTimeField, Subquery, UUIDField

from todo_project.db.compiled import CompiledQuery, UncompiledQuery

from .dates import end_of_day
from .kinds import TASK
from .ledger.counts import NumberOf, counts_and
from .ledger.kinds import RowsFor
from .ledger.replica import read
from .querysets import is_overdue

STATES = ("open", "completed", "overdue", "trashed")
MAX_GROUPS = 1000


def count_tasks(
    rows_for: RowsFor,
    user: Any,
    *,
    now: datetime,
    zone: ZoneInfo,
    by: str | None,
    may_use_replica: bool,
) -> tuple[dict[str, Any], datetime]:
    """The numbers, and the time until which they stay the same unless a task is changed."""
    today = now.astimezone(zone).date()
    first, last = sorted((now, datetime.combine(today, time.min, UTC)))
    values = {"owner": user.pk, "now": now, "today": today, "first": first, "last": last}
    found: Any = read(_numbers(rows_for), values, owner=user, may_use_replica=may_use_replica)
    counts, overdue, next_due = found[0] if found else ({}, 0, None)
    states = {**counts.get(TASK.name, {}), "overdue": overdue}
    stats: dict[str, Any] = {state: states.get(state, 0) for state in STATES}
    if by:
        tasks: Any = rows_for(TASK, user).live()
        is_late = is_overdue(at=now, today=today)
        groups = {
            "project": lambda: tasks.count_by_project(is_late),
            "label": lambda: tasks.count_by_label(is_late),
            "due": lambda: tasks.count_by_due(is_late, zone),
        }
        names = (by, "open", "completed", "overdue")
        query = UncompiledQuery([groups[by]()[:MAX_GROUPS]])
        counted = read(query, {}, owner=user, may_use_replica=may_use_replica)
        stats["by"] = [dict(zip(names, group, strict=True)) for group in counted]
    midnight = end_of_day(today, zone)
    return stats, min(next_due or midnight, midnight)


@cache
def _numbers(rows_for: RowsFor) -> CompiledQuery:
    def build(owner: Any, now: Any, today: Any, first: Any, last: Any) -> Any:
        tasks: Any = rows_for(TASK, owner).live()
        return counts_and(
            owner,
            overdue=NumberOf(tasks.overdue_before(first))
            + NumberOf(tasks.overdue_between(first, last, at=now, today=today)),
            next_due=Subquery(tasks.next_due(at=now).values("due_by")[:1]),
        )

    return CompiledQuery(
        build,
        owner=UUIDField(),
        now=DateTimeField(),
        today=DateField(),
        first=DateTimeField(),
        last=DateTimeField(),
    )
