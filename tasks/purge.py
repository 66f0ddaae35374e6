"""Deleting for good: a trashed task becomes a tombstone, by which followers of the feed hear of it."""

import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import EmptyResultSet
from django.db import connection, models, transaction
from django.db.models import F, Max, QuerySet, Value, Window
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone

from todo_project.api.conditional import IfMatch
from todo_project.api.errors import NotFound, PreconditionFailed
from todo_project.operations.purging import PurgePolicy, register

from .models import LATEST, Clock, Task, Tombstone
from .representation import as_dict, list_etag

AT_ONCE = 10_000
IN_ORDER = (Coalesce("deleted_at", LATEST), F("pk"))
"""As the index of one owner's trash."""


def purge(owner: Any, task: uuid.UUID, if_match: IfMatch) -> dict[str, Any]:
    """One task of the trash; again, it is not found."""
    wanted = Task.objects.for_user(owner).trashed().filter(pk=task)
    (version,) = Clock.objects.tick(owner)
    if not _bury(owner, if_match.guard(wanted), version):
        current = wanted.first()
        if current is None:
            raise NotFound
        raise PreconditionFailed(details={"current": as_dict(current)})
    return {"id": str(task), "version": version, "purged": True}


def empty_trash(owner: Any, if_match: IfMatch) -> int:
    """All of the trash; gives back how many there were."""
    trashed, purged = Task.objects.for_user(owner).trashed(), 0
    while True:
        versions = Clock.objects.tick(owner, by=AT_ONCE)
        if not purged and not if_match.names(list_etag(owner, versions[0] - 1)):
            raise PreconditionFailed("Your tasks have changed meanwhile. Look at the trash again.")
        buried = _bury_some(owner, trashed, versions)
        purged += buried
        if not buried:
            Clock.objects.return_ticks(owner, by=AT_ONCE)
        if buried < AT_ONCE:
            return purged


def purge_trash(before: datetime) -> Iterator[int]:
    """Everybody's trash that is older; the numbers come batch by batch, each a transaction of one owner."""
    for owner in _owners(Task.objects.trashed_before(before).order_by("deleted_at")):
        buried = AT_ONCE
        while buried == AT_ONCE:
            with transaction.atomic():
                trashed = Task.objects.for_user(owner).trashed_before(before)
                buried = _bury_some(owner, trashed, Clock.objects.tick(owner, by=AT_ONCE))
                Clock.objects.return_ticks(owner, by=AT_ONCE - buried)
                if not buried:  # Another one did it, or deleted the owner, who then needs no clock.
                    transaction.set_rollback(True)
            yield buried


def forget_all(before: datetime) -> Iterator[int]:
    """Everybody's tombstones that are older, in the same way."""
    for owner in _owners(Tombstone.objects.purged_before(before).order_by("purged_at")):
        yield from _forget(owner, before)


def purge_everywhere(tasks: Collection[uuid.UUID]) -> list[Task]:
    """Those of these tasks that are in the trash, of many owners; gives back what is gone.

    As perform_for_owners: a fixed number of queries, in the caller's transaction, owners in ascending order.
    """
    wanted = Task.objects.filter(pk__in=tasks)
    if not (counts := dict.fromkeys(wanted.values_list("owner", flat=True), 0)):
        return []
    Clock.objects.tick_many(counts)
    at, gone = timezone.now(), list(wanted.trashed())
    if gone:
        ticks = Clock.objects.tick_many(Counter(task.owner_id for task in gone))
        versions = {owner: iter(ticks) for owner, ticks in ticks.items()}
        Tombstone.objects.bulk_create(
            Tombstone(
                owner_id=task.owner_id, task=task.pk, version=next(versions[task.owner_id]), purged_at=at
            )
            for task in gone
        )
        Task.objects.filter(pk__in=[task.pk for task in gone]).delete()
    return gone


def forget(owner: Any, *, purged_before: datetime) -> int:
    """Drop old tombstones. Who has not heard of them has to begin anew."""
    return sum(_forget(owner, purged_before))


register(
    PurgePolicy(
        "trash",
        "tasks in the trash",
        days=30,
        count=lambda before: Task.objects.trashed_before(before).count(),
        purge=purge_trash,
    )
)
register(
    PurgePolicy(
        "tombstones",
        "tombstones of purged tasks, which tell syncing clients that a task is gone",
        days=90,
        count=lambda before: Tombstone.objects.purged_before(before).count(),
        purge=forget_all,
    )
)


def _owners(old: QuerySet[Any]) -> Iterator[Any]:
    """Who has any of these rows, until there are none: whoever asks for the next has dealt with the last."""
    while owners := set(old.values_list("owner", flat=True)[:AT_ONCE]):
        for owner in sorted(owners):
            yield get_user_model()(pk=owner)


def _forget(owner: Any, purged_before: datetime) -> Iterator[int]:
    """Oldest first, each batch in a transaction of its own, which moves the clock's `forgotten` with it."""
    tombstones = Tombstone.objects.for_user(owner)
    newest = tombstones.purged_before(purged_before).aggregate(newest=Max("version"))["newest"]
    forgotten = AT_ONCE if newest else 0
    while forgotten == AT_ONCE:
        with transaction.atomic():
            Clock.objects.tick(owner, by=0)  # To be alone with this owner's tombstones.
            batch = tombstones.filter(version__lte=newest).order_by("version").values("version")[:AT_ONCE]
            last = batch.aggregate(last=Max("version"))["last"]
            if last is None:  # Another one did it, or deleted the owner, who then needs no clock.
                transaction.set_rollback(True)
                return
            forgotten, _ = tombstones.filter(version__lte=last).delete()
            Clock.objects.filter(pk=owner.pk).update(forgotten=last, forgettings=F("forgettings") + 1)
        yield forgotten


def _bury_some(owner: Any, tasks: QuerySet[Task], versions: range) -> int:
    """As many as there are versions for."""
    # Chosen before they are numbered, or the database would number and sort all that are left, each time.
    some = tasks.order_by(*IN_ORDER).values("pk")[: len(versions)]
    return _bury(owner, tasks.filter(pk__in=some), versions[0])


def _bury(owner: Any, tasks: QuerySet[Task], first_version: int) -> int:
    """Inside the database, so that their number costs Python nothing."""
    tombstones = tasks.values_list(
        "owner_id",
        "id",
        Value(first_version - 1, models.BigIntegerField()) + Window(RowNumber(), order_by=IN_ORDER),
        Value(timezone.now(), models.DateTimeField()),
    )
    try:
        sql, params = tombstones.query.sql_with_params()
    except EmptyResultSet:
        return 0  # An If-Match that no version can meet.
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO tasks_tombstone (owner_id, task, version, purged_at) {sql}", params)
        buried = int(cursor.rowcount)
    if buried:
        gone = Tombstone.objects.for_user(owner).since(first_version - 1)
        Task.objects.for_user(owner).filter(pk__in=gone.values("task")).delete()
    return buried
