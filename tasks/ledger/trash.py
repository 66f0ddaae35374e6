"""Purging of trashed objects, and pruning of the tombstones that purging leaves."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F, Max, QuerySet

from todo_project.api.errors import PreconditionFailed
from todo_project.db.querysets import owners_with_rows
from todo_project.db.stored_responses import forget_objects

from .kinds import Kind, OwnersRows, Rows, RowsFor, kind_of, kinds, owned
from .models import Clock, Tombstone
from .querysets import ObjectQuerySet
from .writes import contents

BATCH_SIZE = 10_000


def kinds_with_trash() -> list[Kind]:
    return [kind for kind in kinds.values() if kind.has_trash]


Allows = Callable[[Clock], bool]
"""Whether an owner's trash may be emptied at this state of the clock."""


def empty_trash(owner: Any, selected: Iterable[Kind], rows_for: RowsFor, *, allows: Allows) -> int:
    """Purge what is in an owner's trash now, and return the number of objects.

    A batch is one transaction, so that the owner's other writes do not wait for a large trash.
    """
    purged, start = 0, None
    for kind in selected:
        number = BATCH_SIZE
        while number >= BATCH_SIZE and (start is None or _trashed(kind, start)):
            with transaction.atomic():
                clock = Clock.objects.lock(owner)
                if start is None:
                    _check(clock, allows)
                    start = copy(clock)
                rows = rows_for(kind, owner).trashed().up_to(start.tick)
                number = _purge_batch(kind, rows, OwnersRows(owner, rows_for), clock)
            purged += number
    return purged


def count_trash(owner: Any, selected: Sequence[Kind], rows_for: RowsFor, *, allows: Allows) -> int:
    """The number of objects that empty_trash() would purge. Requires a transaction."""
    clock = Clock.objects.lock(owner)
    _check(clock, allows)
    if len(selected) > 1:
        return sum(_trashed(kind, clock) for kind in selected)
    [kind] = selected
    found = _with_contents(kind, rows_for(kind, owner).trashed(), OwnersRows(owner, rows_for))
    return sum(each.count() for each in found)


def _trashed(kind: Kind, clock: Clock) -> int:
    number: int = clock.counts.get(kind.name, {}).get("trashed", 0)
    return number


def _check(clock: Clock, allows: Allows) -> None:
    if not allows(clock):
        raise PreconditionFailed("Your objects have changed since you read the trash. Read it again.")


def purge_trash(before: datetime) -> Iterator[int]:
    """Purge all owners' objects trashed before this time, and yield the number of each batch.

    A batch is one transaction with objects of one kind and owner.
    """
    for kind in kinds_with_trash():
        for owner in _owners(
            kind.model.objects.of_all_owners().trashed_before(before).order_by("deleted_at")
        ):
            number = BATCH_SIZE
            while number >= BATCH_SIZE:
                with transaction.atomic():
                    clock = Clock.objects.lock(owner)
                    rows = owned(kind, owner).trashed_before(before)
                    number = _purge_batch(kind, rows, OwnersRows(owner), clock)
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


def _with_contents(kind: Kind, trashed: ObjectQuerySet, rows: Rows) -> list[ObjectQuerySet]:
    """Trashed objects and what is in them, which is in the trash, too: before what it is in."""
    found = [find(rows, trashed.values("pk")) for find in contents(kind)]
    return found[::-1] or [trashed]


def _purge_batch(kind: Kind, trashed: ObjectQuerySet, rows: Rows, clock: Clock) -> int:
    """Purge up to BATCH_SIZE objects and what is in them, and return the number of all."""
    # The subquery limits the rows first; otherwise the database would number and sort the whole trash.
    first = trashed.filter(pk__in=trashed.order_by("deleted_at", "pk").values("pk")[:BATCH_SIZE])
    purged, at = 0, clock.locked_at
    for batch in _with_contents(kind, first, rows):
        name = kind_of(batch.model).name
        number = Tombstone.objects.replace(
            name, batch.order_by("deleted_at", "pk"), clock.owner_id, after=clock.tick, at=at
        )
        clock.tick += number
        clock.count(name, {"trashed": -number})
        purged += number
    if purged:
        replaced = Tombstone.objects.filter(owner=clock.pk).since(clock.tick - purged)
        forget_objects([clock.pk], replaced.values_list("object_id", flat=True))
        Clock.objects.store(clock)
    return purged
