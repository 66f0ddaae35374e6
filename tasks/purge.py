"""Deleting for good: a trashed task becomes a tombstone, by which followers of the feed hear of it."""

import uuid
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, models, transaction
from django.db.models import F, Max, QuerySet, Value, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from todo_project.conditional import IfMatch
from todo_project.errors import NotFound, PreconditionFailed

from .models import Clock, Task, Tombstone
from .representation import list_tag, represent

AT_ONCE = 10_000


def purge(owner: Any, task: uuid.UUID, if_match: IfMatch) -> dict[str, Any]:
    """One task of the trash; again, it is not found."""
    wanted = Task.objects.for_user(owner).trashed().filter(pk=task)
    (version,) = Clock.objects.tick(owner)
    if not _bury(owner, if_match.guard(wanted), version):
        current = wanted.first()
        if current is None:
            raise NotFound
        raise PreconditionFailed(details={"current": represent(current)})
    return {"id": str(task), "version": version, "purged": True}


def empty_trash(owner: Any, if_match: IfMatch) -> int:
    """All of the trash; gives back how many there were."""
    purged, trashed = 0, Task.objects.for_user(owner).trashed()
    while True:
        versions = Clock.objects.tick(owner, by=AT_ONCE)
        if not purged and not if_match.names(list_tag(owner, versions[0] - 1)):
            raise PreconditionFailed("Your tasks have changed meanwhile. Look at the trash again.")
        buried = _bury(owner, trashed.order_by("pk")[:AT_ONCE], versions[0])
        purged += buried
        if not buried:
            Clock.objects.take_back(owner, by=AT_ONCE)
        if buried < AT_ONCE:
            return purged


def forget(owner: Any, *, purged_before: datetime) -> int:
    """Drop old tombstones, in a transaction of its own. Who has not heard of them has to begin anew."""
    with transaction.atomic():
        Clock.objects.tick(owner, by=0)  # To be alone with this owner's tombstones.
        tombstones = Tombstone.objects.for_user(owner)
        newest = tombstones.filter(purged_at__lt=purged_before).aggregate(newest=Max("version"))["newest"]
        if newest is None:
            return 0
        forgotten, _ = tombstones.filter(version__lte=newest).delete()
        Clock.objects.filter(pk=owner.pk).update(forgotten=newest, forgettings=F("forgettings") + 1)
        return forgotten


def _bury(owner: Any, tasks: QuerySet[Task], first_version: int) -> int:
    """Inside the database, so that their number costs Python nothing."""
    tombstones = tasks.values_list(
        "owner_id",
        "id",
        Value(first_version - 1, models.BigIntegerField()) + Window(RowNumber(), order_by="pk"),
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
