"""Purging of trashed objects, and pruning of the tombstones that purging leaves."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from todo_project.api.errors import PreconditionFailed
from todo_project.db.querysets import owners_with_rows
from todo_project.db.stored_responses import forget_objects

from .kinds import Kind, RowsFor, kinds
from .models import Clock, Tombstone
from .querysets import ObjectQuerySet

BATCH_SIZE = 10_000


def kinds_with_trash() -> list[Kind]:
    return [kind for kind in kinds.values() if kind.has_trash]


Allows = Callable[[Clock], bool]
"""Whether an owner's trash may be emptied at this state of the clock."""


def empty_trash(owner: Any, selected: Iterable[Kind], rows_for: RowsFor, *, allows: Allows) -> int:
    """Purge what is in an owner's trash now, and return the number of objects.

    A batch is one transaction, so that the owner's other writes do not wait for a large trash.
    """
    purged, last_version = 0, None
    for kind in selected:
        number = BATCH_SIZE
        while number == BATCH_SIZE:
            with transaction.atomic():
                clock = Clock.objects.lock(owner)
                if last_version is None:
                    _check(clock, allows)
                    last_version = clock.tick
                trashed = rows_for(kind, owner).trashed().up_to(last_version)
                number = _purge_batch(kind, owner, trashed, clock)
            purged += number
    return purged


def count_trash(owner: Any, selected: Iterable[Kind], *, allows: Allows) -> int:
    """The number of objects that empty_trash() would purge. Requires a transaction."""
    clock = Clock.objects.lock(owner)
    _check(clock, allows)
    return sum(clock.counts.get(kind.name, {}).get("trashed", 0) for kind in selected)


def _check(clock: Clock, allows: Allows) -> None:
    if not allows(clock):
        raise PreconditionFailed("Your objects have changed since you read the trash. Read it again.")


def purge_trash(before: datetime) -> Iterator[int]:
    """Purge all owners' objects trashed before this time, and yield the number of each batch.

    A batch is one transaction with objects of one kind and owner.
    """
    for kind in kinds_with_trash():
        for owner in _owners(kind.model.objects.trashed_before(before).order_by("deleted_at")):
            number = BATCH_SIZE
            while number == BATCH_SIZE:
                with transaction.atomic():
                    trashed = kind.model.objects.for_user(owner).trashed_before(before)
                    number = _purge_batch(kind, owner, trashed, Clock.objects.lock(owner))
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
    return (get_user_model()(pk=owner_id) for owner_id in owners_with_rows(rows, BATCH_SIZE))


def _prune(owner: Any, before: datetime) -> Iterator[int]:
    """Oldest first. Each batch's transaction also moves the clock's pruned_version."""
    tombstones = Tombstone.objects.for_user(owner)
    newest = tombstones.purged_before(before).aggregate(newest=Max("version"))["newest"]
    number = BATCH_SIZE if newest else 0
    while number == BATCH_SIZE:
        with transaction.atomic():
            Clock.objects.lock(owner)
            batch = tombstones.up_to(newest).order_by("version").values("version")[:BATCH_SIZE]
            last = batch.aggregate(last=Max("version"))["last"]
            if last is None:  # Another process pruned them, or deleted the owner and the clock.
                transaction.set_rollback(True)
                return
            number, _ = tombstones.up_to(last).delete()
            Clock.objects.for_user(owner).update(pruned_version=last, prune_count=F("prune_count") + 1)
        yield number


def _purge_batch(kind: Kind, owner: Any, trashed: ObjectQuerySet, clock: Clock) -> int:
    """Purge up to BATCH_SIZE objects, and return their number."""
    # The subquery limits the rows first; otherwise the database would number and sort the whole trash.
    batch = trashed.filter(pk__in=trashed.order_by("deleted_at", "pk").values("pk")[:BATCH_SIZE])
    number = Tombstone.objects.replace(
        kind.name, batch.order_by("deleted_at", "pk"), owner, after=clock.tick, at=timezone.now()
    )
    if number:
        replaced = Tombstone.objects.for_user(owner).since(clock.tick)
        forget_objects([owner.pk], replaced.values_list("object_id", flat=True))
        clock.tick += number
        clock.count(kind.name, {"trashed": -number})
        Clock.objects.store(clock)
    return number
