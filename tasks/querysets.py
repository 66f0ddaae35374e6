"""What an owner may see, in sentences. The only file that knows the columns; time is an argument."""

from datetime import datetime
from typing import Any, Self

from django.db import connection, models
from django.db.models import Count, F, Q

from todo_project.prepared import execute

from .representation import TASK, TOMBSTONE, AsJSON

# In one statement, which Django has no words for: begin the count, or go on counting.
TICK = """
INSERT INTO tasks_clock (owner_id, tick, forgotten, forgettings) VALUES (%s, %s, 0, 0)
ON CONFLICT (owner_id) DO UPDATE SET tick = tasks_clock.tick + excluded.tick RETURNING tick
"""


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

    def mentioning(self, words: str) -> Self:
        """In the title or the description, whatever the case; PostgreSQL has a trigram index for this SQL."""
        return self.filter(Q(title__icontains=words) | Q(description__icontains=words))

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

    def as_json(self) -> Self:
        return self.values_list(AsJSON(*TASK), flat=True)  # type: ignore[return-value]

    def versions_and_json(self) -> Self:
        return self.values_list("version", AsJSON(*TASK))  # type: ignore[return-value]


class TombstoneQuerySet(OwnedQuerySet):
    def purged_before(self, at: datetime) -> Self:
        return self.filter(purged_at__lt=at)

    def versions_and_json(self) -> Self:
        return self.values_list("version", AsJSON(*TOMBSTONE, ending=',"purged":true}'))  # type: ignore[return-value]


class ClockQuerySet(models.QuerySet[Any]):
    def tick(self, owner: Any, *, by: int = 1) -> range:
        """The owner's next versions. Until the transaction ends, any other write of this owner waits here."""
        pk = self.model._meta.pk.get_db_prep_value(owner.pk, connection)
        (last,) = execute(TICK, [pk, by], lambda cursor: cursor.fetchone())
        return range(last - by + 1, last + 1)

    def take_back(self, owner: Any, *, by: int) -> None:
        """Ticks of this transaction that nothing was done with: the owner's lists are as they were."""
        self.filter(pk=owner.pk).update(tick=F("tick") - by)
