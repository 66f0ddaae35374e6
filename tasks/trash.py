"""Purging of trashed tasks, and pruning of the tombstones that purging leaves."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from todo_project.api.errors import PreconditionFailed

from .models import LATEST, Clock, Task, Tombstone
from .operations import RowsFor
from .querysets import TaskQuerySet

BATCH_SIZE = 10_000
ORDER = (Coalesce("deleted_at", LATEST), F("pk"))
"""The order of the index of one owner's trash."""


def empty_trash(owner: Any, rows_for: RowsFor, *, allows: Callable[[int], bool]) -> int:
    """Purge an owner's trash if `allows` accepts the clock's tick, and return the number of tasks."""
    trashed, purged = rows_for(owner).trashed(), 0
    while True:
        versions = Clock.objects.tick(owner, by=BATCH_SIZE)
        if not purged and not allows(versions.start - 1):
            raise PreconditionFailed("Your tasks have changed since you read the trash. Read it again.")
        number = _purge_batch(owner, trashed, versions)
        purged += number
        if not number:
            Clock.objects.return_ticks(owner, by=BATCH_SIZE)
        if number < BATCH_SIZE:
            return purged


def purge_trash(before: datetime) -> Iterator[int]:
    """Purge all owners' tasks trashed before this time, and yield the number of each batch.

    A batch is one transaction with tasks of one owner.
    """
    for owner in _owners(Task.objects.trashed_before(before).order_by("deleted_at")):
        number = BATCH_SIZE
        while number == BATCH_SIZE:
            with transaction.atomic():
                trashed = Task.objects.for_user(owner).trashed_before(before)
                number = _purge_batch(owner, trashed, Clock.objects.tick(owner, by=BATCH_SIZE))
                Clock.objects.return_ticks(owner, by=BATCH_SIZE - number)
                if not number:  # Another process purged them, or deleted the owner and the clock.
                    transaction.set_rollback(True)
            yield number


def prune_tombstones(before: datetime) -> Iterator[int]:
    """Delete all owners' tombstones older than this, and yield the number of each batch."""
    for owner in _owners(Tombstone.objects.purged_before(before).order_by("purged_at")):
        yield from _prune(owner, before)


def prune_tombstones_of(owner: Any, *, before: datetime) -> int:
    """The same for one owner. Clients that have not synced these purges must start over."""
    return sum(_prune(owner, before))


def _owners(rows: QuerySet[Any]) -> Iterator[Any]:
    """Yield the owners of these rows until none are left. The caller deletes the rows of each owner."""
    while owners := set(rows.values_list("owner", flat=True)[:BATCH_SIZE]):
        for owner in sorted(owners):
            yield get_user_model()(pk=owner)


def _prune(owner: Any, before: datetime) -> Iterator[int]:
    """Oldest first. Each batch's transaction also moves the clock's pruned_version."""
    tombstones = Tombstone.objects.for_user(owner)
    newest = tombstones.purged_before(before).aggregate(newest=Max("version"))["newest"]
    number = BATCH_SIZE if newest else 0
    while number == BATCH_SIZE:
        with transaction.atomic():
            Clock.objects.lock(owner)
            batch = tombstones.filter(version__lte=newest).order_by("version").values("version")[:BATCH_SIZE]
            last = batch.aggregate(last=Max("version"))["last"]
            if last is None:  # Another process pruned them, or deleted the owner and the clock.
                transaction.set_rollback(True)
                return
            number, _ = tombstones.filter(version__lte=last).delete()
            Clock.objects.for_user(owner).update(pruned_version=last, prune_count=F("prune_count") + 1)
        yield number


def _purge_batch(owner: Any, trashed: TaskQuerySet, versions: range) -> int:
    """Purge as many tasks as there are versions, and return their number."""
    # The subquery limits the rows first; otherwise the database would number and sort the whole trash.
    batch = trashed.filter(pk__in=trashed.order_by(*ORDER).values("pk")[: len(versions)])
    return Tombstone.objects.replace(batch.order_by(*ORDER), owner, versions=versions, at=timezone.now())
