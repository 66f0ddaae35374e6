"""Querysets of tasks, tombstones and clocks. Other modules do not filter by columns."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Self

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BigIntegerField, Count, DateTimeField, F, Q, Value, Window
from django.db.models.functions import RowNumber

from todo_project.db.compiled import execute
from todo_project.db.json_text import JSONText
from todo_project.db.querysets import OwnedQuerySet

from .representation import TASK_FIELDS, TOMBSTONE_FIELDS

BATCH_SIZE = 1000

# Upsert in one statement; the ORM cannot return the incremented value.
TICK = """
INSERT INTO tasks_clock (owner_id, tick, pruned_version, prune_count) VALUES (%s, %s, 0, 0)
ON CONFLICT (owner_id) DO UPDATE SET tick = tasks_clock.tick + excluded.tick RETURNING tick
"""
ONE_ROW = "(%s, %s, 0, 0)"


class VersionedQuerySet(OwnedQuerySet):
    def since(self, version: int) -> Self:
        return self.filter(version__gt=version)


class TaskQuerySet(VersionedQuerySet):
    def live(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def trashed(self) -> Self:
        return self.filter(deleted_at__isnull=False)

    def trashed_before(self, at: datetime) -> Self:
        return self.trashed().filter(deleted_at__lt=at)

    def open(self) -> Self:
        return self.filter(completed=False)

    def completed(self) -> Self:
        return self.filter(completed=True)

    def overdue(self, *, at: datetime) -> Self:
        return self.open().due_before(at)

    def not_overdue(self, *, at: datetime) -> Self:
        return self.filter(Q(completed=True) | Q(due_at__isnull=True) | Q(due_at__gte=at))

    def due_before(self, at: datetime) -> Self:
        return self.filter(due_at__lt=at)

    def due_after(self, at: datetime) -> Self:
        return self.filter(due_at__gt=at)

    def without_due_time(self) -> Self:
        return self.filter(due_at__isnull=True)

    def created_before(self, at: datetime) -> Self:
        return self.filter(created_at__lt=at)

    def created_after(self, at: datetime) -> Self:
        return self.filter(created_at__gt=at)

    def created_in(self, start: datetime, end: datetime) -> Self:
        return self.filter(created_at__gte=start, created_at__lt=end)

    def completed_in(self, start: datetime, end: datetime) -> Self:
        return self.filter(completed_at__gte=start, completed_at__lt=end)

    def updated_after(self, at: datetime) -> Self:
        return self.filter(updated_at__gt=at)

    def with_ids(self, ids: list[uuid.UUID]) -> Self:
        return self.filter(pk__in=ids)

    def with_priority(self, priority: int) -> Self:
        return self.filter(priority=priority)

    def search_text(self, text: str) -> Self:
        """The text in title or description, case-insensitive. PostgreSQL has a trigram index for this."""
        return self.filter(Q(title__icontains=text) | Q(description__icontains=text))

    def title_contains(self, words: list[str]) -> Self:
        """All words in the title, case-insensitive. Uses the same index as search_text()."""
        return self.filter(*(Q(title__icontains=word) for word in words))

    # The orders of the admin's lists. Each has an index.

    def latest_change_first(self) -> Self:
        """For the tasks of one owner."""
        return self.order_by("-version")

    def due_first(self) -> Self:
        """For open tasks; tasks without a due time come last."""
        return self.order_by(F("due_at").asc(nulls_last=True), "pk")

    def latest_completion_first(self) -> Self:
        return self.order_by("-completed_at", "-pk")

    def latest_trashed_first(self) -> Self:
        return self.order_by("-deleted_at", "-pk")

    def stats(self, *, at: datetime) -> dict[str, int]:
        """The number of tasks in each state, in one query."""
        live, completed = Q(deleted_at__isnull=True), Q(completed=True)
        states = {
            "open": live & ~completed,
            "completed": live & completed,
            "overdue": live & ~completed & Q(due_at__lt=at),
            "trashed": ~live,
        }
        # An aggregate may not have the name of a column.
        counts = self.aggregate(**{f"n_{state}": Count("pk", filter=rows) for state, rows in states.items()})
        return {state: counts[f"n_{state}"] for state in states}

    def in_batches_by(self, key: str) -> Iterator[Any]:
        """Iterate over a values_list() whose first column is the key, in the order of the key.

        iterator() loads all rows into memory behind a pooler, which does not support server-side cursors.
        """
        rows = self.order_by(key)
        batch = list(rows[:BATCH_SIZE])
        yield from batch
        while len(batch) == BATCH_SIZE:
            batch = list(rows.filter(**{f"{key}__gt": batch[-1][0]})[:BATCH_SIZE])
            yield from batch

    def as_json(self) -> Self:
        return self.values_list(JSONText(*TASK_FIELDS), flat=True)  # type: ignore[return-value]

    def versions_and_json(self) -> Self:
        return self.values_list("version", JSONText(*TASK_FIELDS))  # type: ignore[return-value]


class TombstoneQuerySet(VersionedQuerySet):
    def purged_before(self, at: datetime) -> Self:
        return self.filter(purged_at__lt=at)

    def versions_and_json(self) -> Self:
        return self.values_list("version", JSONText(*TOMBSTONE_FIELDS, ending=',"purged":true}'))  # type: ignore[return-value]

    def replace(self, tasks: TaskQuerySet, owner: Any, *, versions: range, at: datetime) -> int:
        """Replace an owner's tasks by tombstones, in the order of the queryset, and return their number.

        INSERT … SELECT, so that no rows are loaded into memory.
        """
        ordering: Any = tasks.query.order_by or "pk"
        numbers = Window(RowNumber(), order_by=ordering)
        rows = tasks.order_by().values_list(
            "owner_id",
            "id",
            Value(versions.start - 1, BigIntegerField()) + numbers,
            Value(at, DateTimeField()),
        )
        try:
            sql, params = rows.query.sql_with_params()
        except EmptyResultSet:
            return 0
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO tasks_tombstone (owner_id, task, version, purged_at) {sql}", params)
            number = int(cursor.rowcount)
        if number:
            replaced = self.for_user(owner).since(versions.start - 1)
            tasks.order_by().filter(pk__in=replaced.values("task")).delete()
        return number


class ClockQuerySet(OwnedQuerySet):
    def tick(self, owner: Any, *, by: int = 1) -> range:
        """Take the owner's next versions. Locks the clock until the end of the transaction."""
        pk = self.model._meta.pk.get_db_prep_value(owner.pk, connection)
        (last,) = execute(TICK, [pk, by], lambda cursor: cursor.fetchone())
        return range(last - by + 1, last + 1)

    def lock(self, owner: Any) -> int:
        """Lock the clock without taking a version, and return the last version."""
        return self.tick(owner, by=0).stop - 1

    def tick_many(self, counts: Mapping[uuid.UUID, int]) -> dict[uuid.UUID, range]:
        """Take the given number of versions for each owner; 0 only locks the clock.

        Clocks are locked in the order of their keys, so that two calls cannot deadlock.
        """
        key = self.model._meta.pk
        rows = [(key.get_db_prep_value(owner, connection), by) for owner, by in sorted(counts.items())]
        sql = TICK.replace(ONE_ROW, ", ".join([ONE_ROW] * len(rows)))
        sql = sql.replace("RETURNING tick", "RETURNING owner_id, tick")
        with connection.cursor() as cursor:
            cursor.execute(sql, [value for row in rows for value in row])
            last = {uuid.UUID(str(owner)): tick for owner, tick in cursor.fetchall()}
        return {owner: range(last[owner] - by + 1, last[owner] + 1) for owner, by in counts.items()}

    def return_ticks(self, owner: Any, *, by: int) -> None:
        """Return versions that this transaction did not use, so that list ETags stay the same."""
        self.for_user(owner).update(tick=F("tick") - by)
