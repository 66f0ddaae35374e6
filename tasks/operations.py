"""The one way to change tasks: any number of one owner's operations, in order, all or nothing.

The owner's clock is locked before a task is read, so what is read is still so when it is written.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import UUIDField
from django.utils import timezone

from todo_project.api.errors import Conflict, NotFound, PreconditionFailed
from todo_project.db.compiled import CompiledQuery, insert, update

from .models import Clock, Task
from .representation import as_dict

CREATE = "create"
VERBS: dict[str, Callable[[Task, Mapping[str, Any], datetime], set[str]]] = {
    CREATE: lambda task, values, at: task.change(values, at=at),
    "update": lambda task, values, at: task.change(values, at=at),
    "complete": lambda task, values, at: task.complete(at=at),
    "reopen": lambda task, values, at: task.reopen(at=at),
    "delete": lambda task, values, at: task.trash(at=at),
    "restore": lambda task, values, at: task.restore(at=at),
}
ALLOWED_IN_TRASH = {"delete", "restore"}


def any_version(version: int) -> bool:
    return True


@dataclass(frozen=True)
class Operation:
    """One change, as it was asked for."""

    verb: str
    task: uuid.UUID | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    allows: Callable[[int], bool] = any_version
    """Which version the task must have before any of the operations."""
    place: str | None = None
    """Where it stands in the body, if it is one of several; errors name it."""

    def details(self, part: str, **more: Any) -> dict[str, Any]:
        return {**({"field": f"{self.place}.{part}"} if self.place else {}), **more}


def perform(owner: Any, operations: Sequence[Operation]) -> list[Task]:
    """Gives back the task of each operation, as it is in the end. Runs in the caller's transaction."""
    versions = iter(Clock.objects.tick(owner, by=len(operations)))
    at = timezone.now()  # Not before it is this write's turn: times go the way of the versions.
    asked_for = {operation.task for operation in operations if operation.task}
    found = _load_one(owner, *asked_for) if len(operations) == 1 else _load_all(owner, asked_for)
    versions_before = {task.pk: task.version for task in found.values()}
    changed: dict[uuid.UUID, tuple[Task, set[str]]] = {}
    done = []
    for operation in operations:
        if operation.verb == CREATE:
            task = Task(owner_id=owner.pk, created_at=at)
        else:
            task = _find(found, versions_before, operation, owner)
        if columns := VERBS[operation.verb](task, operation.values, at):
            task.version, task.updated_at = next(versions), at
            changed.setdefault(task.pk, (task, {"version", "updated_at"}))[1].update(columns)
        done.append(task)
    if changed:
        _store(owner, list(changed.values()), versions_before)
    else:
        Clock.objects.return_ticks(owner, by=len(operations))
    return done


def perform_for_owners(verb: str, tasks: Collection[uuid.UUID]) -> list[Task]:
    """One verb on tasks of many owners; gives back those that it changed. Runs in the caller's transaction.

    What it cannot reach is left as it is. The number of queries is the same for any number of tasks. A
    transaction that does this several times takes the owners in ascending order, for the sake of the locks.
    """
    wanted = Task.objects.filter(pk__in=tasks)
    if not (counts := dict.fromkeys(wanted.values_list("owner", flat=True), 0)):
        return []
    Clock.objects.tick_many(counts)
    at, changed = timezone.now(), []
    for task in wanted.all():
        if task.deleted_at and verb not in ALLOWED_IN_TRASH:
            continue
        if columns := VERBS[verb](task, {}, at):
            changed.append((task, columns | {"version", "updated_at"}))
    if changed:
        ticks = Clock.objects.tick_many(Counter(task.owner_id for task, _ in changed))
        versions = {owner: iter(ticks) for owner, ticks in ticks.items()}
        for task, _ in changed:
            task.version, task.updated_at = next(versions[task.owner_id]), at
        _store_all(changed, known={task.pk for task, _ in changed})
    return [task for task, _ in changed]


COLUMNS = [field.attname for field in Task._meta.concrete_fields]
LOAD = CompiledQuery(
    lambda owner, task: Task.objects.for_user(owner).filter(pk=task).values_list(*COLUMNS),
    owner=UUIDField(),
    task=UUIDField(),
)


def _load_one(owner: Any, task: uuid.UUID | None = None) -> dict[uuid.UUID, Task]:
    """Not locked: what is stored alone is guarded by its version."""
    rows = LOAD(owner=owner.pk, task=task) if task else []
    return {task.pk: task for task in (Task.from_db(connection.alias, COLUMNS, row) for row in rows)}


def _load_all(owner: Any, tasks: set[uuid.UUID]) -> dict[uuid.UUID, Task]:
    """Locked, so that whoever writes past the clock is not written over."""
    found: dict[uuid.UUID, Task] = Task.objects.for_user(owner).select_for_update().in_bulk(tasks)
    return found


def _find(
    found: Mapping[uuid.UUID, Task],
    versions_before: Mapping[uuid.UUID, int],
    operation: Operation,
    owner: Any,
) -> Task:
    task = found.get(operation.task) if operation.task else None
    if task is None or (task.deleted_at and operation.verb not in ALLOWED_IN_TRASH):
        raise NotFound(details=operation.details("id"))
    if not operation.allows(versions_before[task.pk]):
        current = Task.objects.for_user(owner).get(pk=task.pk)
        raise PreconditionFailed(details=operation.details("if_match", current=as_dict(current)))
    return task


def _store(
    owner: Any, changed: Sequence[tuple[Task, set[str]]], versions_before: Mapping[uuid.UUID, int]
) -> None:
    """One statement, however many; it writes only columns that one of the operations has changed."""
    if len(changed) == 1:
        _store_one(owner, *changed[0], versions_before)
    else:
        _store_all(changed, known=versions_before.keys())


def _store_all(changed: Sequence[tuple[Task, set[str]]], *, known: Collection[uuid.UUID]) -> None:
    tasks = [task for task, _ in changed]
    columns = set().union(*(columns for task, columns in changed if task.pk in known))
    if columns:
        Task.objects.bulk_create(tasks, update_conflicts=True, unique_fields=["id"], update_fields=columns)
    else:
        Task.objects.bulk_create(tasks)


def _store_one(owner: Any, task: Task, columns: set[str], versions_before: Mapping[uuid.UUID, int]) -> None:
    if task.pk not in versions_before:
        insert(task)
    elif not update(task, columns, id=task.pk, owner=owner.pk, version=versions_before[task.pk]):
        raise Conflict  # Somebody writes past the clock.
