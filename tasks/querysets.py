"""What an owner may see, in sentences. The only file that knows the columns; time is an argument."""

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Self

from django.db import connection, models
from django.db.models import Count, F, Q

from todo_project.db.compiled import execute

from .representation import TASK, TOMBSTONE, JSONText

AT_ONCE = 1000
"""So many rows are in memory at a time, where all are read."""

# In one statement, which Django has no words for: begin the count, or go on counting.
TICK = """
INSERT INTO tasks_clock (owner_id, tick, forgotten, forgettings) VALUES (%s, %s, 0, 0)
ON CONFLICT (owner_id) DO UPDATE SET tick = tasks_clock.tick + excluded.tick RETURNING tick
"""
ONE_OF_MANY = "(%s, %s, 0, 0)"


class OwnedQuerySet(models.QuerySet[Any]):
    def for_user(self, user: Any) -> Self:
        """The one door: what is not behind it does not exist for this user."""
        return self.filter(owner=user.pk)

    def since(self, version: int) -> Self:
        return self.filter(version__gt=version)


class TaskQuerySet(OwnedQuerySet):
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

    def of_priority(self, priority: int) -> Self:
        return self.filter(priority=priority)

    def search_text(self, words: str) -> Self:
        """In the title or the description, whatever the case; PostgreSQL has a trigram index for this SQL."""
        return self.filter(Q(title__icontains=words) | Q(description__icontains=words))

    def title_contains(self, words: list[str]) -> Self:
        """Every word in the title, whatever the case; the index of `matching` serves this for all owners."""
        return self.filter(*(Q(title__icontains=word) for word in words))

    # The orders of the admin's lists; for each there is an index.

    def latest_change_first(self) -> Self:
        """Of one owner."""
        return self.order_by("-version")

    def due_first(self) -> Self:
        """Of the open ones; those without a due time come last."""
        return self.order_by(F("due_at").asc(nulls_last=True), "pk")

    def latest_completion_first(self) -> Self:
        return self.order_by("-completed_at", "-pk")

    def latest_trashed_first(self) -> Self:
        return self.order_by("-deleted_at", "-pk")

    def stats(self, *, at: datetime) -> dict[str, int]:
        """How many there are of each kind, in one query."""
        live, completed = Q(deleted_at__isnull=True), Q(completed=True)
        kinds = {
            "open": live & ~completed,
            "completed": live & completed,
            "overdue": live & ~completed & Q(due_at__lt=at),
            "trashed": ~live,
        }
        # An aggregate may not have the name of a column.
        counts = self.aggregate(**{f"n_{kind}": Count("pk", filter=which) for kind, which in kinds.items()})
        return {kind: counts[f"n_{kind}"] for kind in kinds}

    def in_batches_by(self, key: str) -> Iterator[Any]:
        """Rows of columns, in the order of this key, which is the first of them.

        Behind a pooler a cursor of the server's would give all of them at once.
        """
        rows = self.order_by(key)
        some = list(rows[:AT_ONCE])
        yield from some
        while len(some) == AT_ONCE:
            some = list(rows.filter(**{f"{key}__gt": some[-1][0]})[:AT_ONCE])
            yield from some

    def as_json(self) -> Self:
        return self.values_list(JSONText(*TASK), flat=True)  # type: ignore[return-value]

    def versions_and_json(self) -> Self:
        return self.values_list("version", JSONText(*TASK))  # type: ignore[return-value]


class TombstoneQuerySet(OwnedQuerySet):
    def purged_before(self, at: datetime) -> Self:
        return self.filter(purged_at__lt=at)

    def versions_and_json(self) -> Self:
        return self.values_list("version", JSONText(*TOMBSTONE, ending=',"purged":true}'))  # type: ignore[return-value]


class ClockQuerySet(models.QuerySet[Any]):
    def tick(self, owner: Any, *, by: int = 1) -> range:
        """The owner's next versions. Until the transaction ends, any other write of this owner waits here."""
        pk = self.model._meta.pk.get_db_prep_value(owner.pk, connection)
        (last,) = execute(TICK, [pk, by], lambda cursor: cursor.fetchone())
        return range(last - by + 1, last + 1)

    def tick_many(self, counts: Mapping[uuid.UUID, int]) -> dict[uuid.UUID, range]:
        """The next versions of many owners, of each so many; 0 only keeps others from writing.

        The rows are locked in one order, so that two of these cannot wait for each other.
        """
        key = self.model._meta.pk
        rows = [(key.get_db_prep_value(owner, connection), by) for owner, by in sorted(counts.items())]
        sql = TICK.replace(ONE_OF_MANY, ", ".join([ONE_OF_MANY] * len(rows)))
        sql = sql.replace("RETURNING tick", "RETURNING owner_id, tick")
        with connection.cursor() as cursor:
            cursor.execute(sql, [value for row in rows for value in row])
            last = {uuid.UUID(str(owner)): tick for owner, tick in cursor.fetchall()}
        return {owner: range(last[owner] - by + 1, last[owner] + 1) for owner, by in counts.items()}

    def return_ticks(self, owner: Any, *, by: int) -> None:
        """Ticks of this transaction that nothing was done with: the owner's lists are as they were."""
        self.filter(pk=owner.pk).update(tick=F("tick") - by)
