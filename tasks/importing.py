"""A person's tasks, from an export: with their ids and times, and new versions in the old order."""

import uuid
from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.db.models import F
from django.utils import timezone
from rest_framework import serializers

from todo_project.api.serializers import InstantField
from todo_project.operations.importing import AT_ONCE, Import, NotImportable, Outcome, checked, is_equal

from .models import Clock, Priority, Task
from .serializers import TaskSerializer
from .sync import PRUNE_MODULUS

Row = tuple[str, dict[str, Any]]


class ExportedTaskSerializer(TaskSerializer):
    """As the API takes a task, with what it sets itself. Nothing may be left out, and nothing is mended."""

    id = serializers.UUIDField()
    title = serializers.CharField(max_length=500, trim_whitespace=False)
    description = serializers.CharField(max_length=5000, allow_blank=True, trim_whitespace=False)
    completed = serializers.BooleanField()
    completed_at = InstantField(allow_null=True)
    priority = serializers.ChoiceField(choices=Priority.choices)
    due_at = InstantField(allow_null=True)
    created_at = InstantField()
    updated_at = InstantField()
    deleted_at = InstantField(allow_null=True)
    version = serializers.IntegerField(min_value=1)

    def validate_title(self, title: str) -> str:
        if not title.strip():
            raise serializers.ValidationError("Title may not be blank.", code="blank")
        return title

    def validate(self, task: dict[str, Any]) -> dict[str, Any]:
        if task["completed"] != (task["completed_at"] is not None):
            message = "A task has a time of completion exactly when it is completed."
            raise serializers.ValidationError({"completed_at": message})
        return task


def tasks(into: Import, rows: Iterable[Any]) -> Outcome:
    """Nobody else writes this owner's tasks meanwhile: the clock is locked until the transaction ends."""
    outcome, last_version = Outcome(), 0
    if into.is_new:
        # The account may have been here before. A clock that ticked less than once a second never came so
        # far: its clients are told to begin anew, and do not take these versions for those that they know.
        now = int(timezone.now().timestamp())
        Clock.objects.create(owner_id=into.user.pk, tick=now, forgettings=now % PRUNE_MODULUS)
    before = Clock.objects.tick(into.user, by=0).stop - 1
    given = checked("tasks", ExportedTaskSerializer(), rows)
    while batch := list(islice(given, AT_ONCE)):
        for place, values in batch:
            if values["version"] <= last_version:
                raise NotImportable(f"{place}.version: Tasks must be in the order of their versions.")
            last_version = values.pop("version")
        _store(into, batch, outcome, before)
        into.progress(f"tasks: {outcome.new + outcome.equal + outcome.differ} so far")
    if into.is_new:
        # Nor may they go on from among these versions: they may know others by the same numbers.
        Clock.objects.filter(pk=into.user.pk).update(forgotten=F("tick"))
    return outcome


def _store(into: Import, batch: list[Row], outcome: Outcome, before: int) -> None:
    here = _here(into, batch, before)
    changed = []
    for _, values in batch:
        found = here.get(values["id"])
        if found is None:
            outcome.new += 1
        elif is_equal(found, values):
            outcome.equal += 1
            continue
        else:
            outcome.differ += 1
            if not into.replace:
                continue
        changed.append(Task(owner_id=into.user.pk, **values))
    for each, version in zip(changed, Clock.objects.tick(into.user, by=len(changed)), strict=True):
        each.version = version
    columns = [*batch[0][1].keys() - {"id"}, "version"]
    # Only what was this owner's is written over: an id that another took in the meantime is refused.
    replaced = [task for task in changed if task.pk in here]
    Task.objects.bulk_create(replaced, update_conflicts=True, unique_fields=["id"], update_fields=columns)
    Task.objects.bulk_create(task for task in changed if task.pk not in here)


def _here(into: Import, batch: list[Row], before: int) -> dict[uuid.UUID, Task]:
    """Those of these tasks that are here already; refuses what is another's, or a second time in the file."""
    here: dict[uuid.UUID, Task] = Task.objects.in_bulk([values["id"] for _, values in batch])
    seen = set()
    for place, values in batch:
        found = here.get(values["id"])
        if found and found.owner_id != into.user.pk:
            raise NotImportable(f"{place}.id: There is a task of somebody else with this id.")
        if values["id"] in seen or (found and found.version > before):
            raise NotImportable(f"{place}.id: This task is in the file twice.")
        seen.add(values["id"])
    return here
