"""Imports a user's tasks from an export, with their ids and times, and with new versions in the old order."""

import uuid
from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.db.models import F
from django.utils import timezone
from rest_framework import serializers

from todo_project.operations.importing import (
    BATCH_SIZE,
    ExportedSerializer,
    Import,
    NotImportable,
    Outcome,
    importers,
    validated,
)

from .models import Clock, Task, Tombstone
from .serializers import TaskSerializer
from .sync import PRUNE_MODULUS

Row = tuple[str, dict[str, Any]]


class ExportedTaskSerializer(ExportedSerializer, TaskSerializer):
    """A task as the API writes it."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        fields["description"].allow_null = False
        return fields

    def validate(self, task: dict[str, Any]) -> dict[str, Any]:
        if task["completed"] != (task["completed_at"] is not None):
            message = "Completed at must be set if the task is completed, and null otherwise."
            raise serializers.ValidationError({"completed_at": message})
        return task


@importers.register("tasks")
def tasks(into: Import, rows: Iterable[Any]) -> Outcome:
    """Locks the owner's clock, so that no other writer changes these tasks until the transaction ends."""
    outcome, last_version = Outcome(), 0
    if into.is_new:
        # The account may have existed before. Starting the clock at the time in seconds puts it past every
        # version that the old account gave out, so that its clients start over instead of confusing the two.
        now = int(timezone.now().timestamp())
        Clock.objects.create(owner_id=into.user.pk, tick=now, prune_count=now % PRUNE_MODULUS)
    before = Clock.objects.lock(into.user)
    validated_rows = validated("tasks", ExportedTaskSerializer(), rows)
    while batch := list(islice(validated_rows, BATCH_SIZE)):
        for place, values in batch:
            if values["version"] <= last_version:
                raise NotImportable(f"{place}.version: Tasks must be in the order of their versions.")
            last_version = values.pop("version")
            if values.pop("user_id") != into.user.pk:
                raise NotImportable(f"{place}.user_id: This task belongs to another account.")
        _store(into, batch, outcome, before)
        into.progress(f"tasks: {outcome.new + outcome.equal + outcome.differ} so far")
    if into.is_new:
        # A client's `since` may also lie among these versions and mean others: all of them start over.
        Clock.objects.filter(pk=into.user.pk).update(pruned_version=F("tick"))
    return outcome


def _store(into: Import, batch: list[Row], outcome: Outcome, before: int) -> None:
    existing = _existing(into, batch, before)
    changed = []
    for _, values in batch:
        found = [existing[values["id"]]] if values["id"] in existing else []
        if outcome.add(found, values, replace=into.replace):
            changed.append(Task(owner_id=into.user.pk, **values))
    for each, version in zip(changed, Clock.objects.tick(into.user, by=len(changed)), strict=True):
        each.version = version
    columns = [*batch[0][1].keys() - {"id"}, "version"]
    # Only this owner's tasks are overwritten: an id that another user took meanwhile is rejected.
    replaced = [task for task in changed if task.pk in existing]
    Task.objects.bulk_create(replaced, update_conflicts=True, unique_fields=["id"], update_fields=columns)
    created = [task for task in changed if task.pk not in existing]
    Task.objects.bulk_create(created)
    # A task that exists has no tombstone: its key can be used again, and so can purging.
    Tombstone.objects.for_user(into.user).filter(task__in=[task.pk for task in created]).delete()


def _existing(into: Import, batch: list[Row], before: int) -> dict[uuid.UUID, Task]:
    """The tasks of this batch that exist; rejects another user's task, and an id that occurs twice."""
    existing: dict[uuid.UUID, Task] = Task.objects.in_bulk([values["id"] for _, values in batch])
    seen = set()
    for place, values in batch:
        found = existing.get(values["id"])
        if found and found.owner_id != into.user.pk:
            raise NotImportable(f"{place}.id: Another user has a task with this id.")
        if values["id"] in seen or (found and found.version > before):
            raise NotImportable(f"{place}.id: This task is in the file twice.")
        seen.add(values["id"])
    return existing
