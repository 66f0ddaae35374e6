"""All changes of tasks go through perform(), which applies operations in order, all or none.

It locks the owner's clock before it reads a task, so no other write comes between the read and the write.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, cast

from django.db import connection
from django.db.models import BigIntegerField, UUIDField
from django.utils import timezone

from todo_project.api.errors import Conflict, Gone, NotFound, PreconditionFailed
from todo_project.db.compiled import CompiledQuery, CompiledUpdate, insert

from .models import Clock, Task, Tombstone
from .querysets import TaskQuerySet
from .representation import as_dict

RowsFor = Callable[[Any], TaskQuerySet]
"""Returns the tasks of an owner, or of a placeholder: Task.objects.for_user, or a viewset's rows_for."""

CREATE, PURGE = "create", "purge"
VERBS: dict[str, Callable[[Task, Mapping[str, Any], datetime], set[str]]] = {
    CREATE: lambda task, values, at: task.change(values, at=at),
    "update": lambda task, values, at: task.change(values, at=at),
    "complete": lambda task, values, at: task.complete(at=at),
    "reopen": lambda task, values, at: task.reopen(at=at),
    "delete": lambda task, values, at: task.trash(at=at),
    "restore": lambda task, values, at: task.restore(at=at),
}
"""Each returns the names of the changed columns. PURGE is not included, because it leaves no task."""

BULK_VERBS = (CREATE, "update", "complete", "reopen", "delete", "restore")
"""The verbs that clients may use in a bulk request; purging has routes of its own."""

ALLOWED_IN_TRASH = {"delete", "restore", PURGE}


@dataclass(frozen=True)
class Operation:
    """One requested change."""

    verb: str
    task: uuid.UUID | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    """With CREATE: the client's name for the task, from which its id is computed."""
    versions: Collection[int] | None = None
    """The versions that the task may have before the first operation, 0 if it is new; None for any."""
    path: str | None = None
    """The path for error messages, such as operations.3, if the request has several operations."""

    def task_id(self, owner: Any) -> uuid.UUID | None:
        return self.task if self.key is None else uuid.uuid5(owner.pk, f"task:{self.key}")

    def details(self, name: str, **more: Any) -> dict[str, Any]:
        return {**({"field": f"{self.path}.{name}"} if self.path else {}), **more}


def perform(
    owner: Any, operations: Sequence[Operation], rows_for: RowsFor = Task.objects.for_user
) -> list[Any]:
    """Return the task of each operation after all operations, or its tombstone. Requires a transaction.

    Purges run immediately, independently of the other operations.
    """
    versions = iter(Clock.objects.tick(owner, by=len(operations)))
    at = timezone.now()  # Only after the clock is locked, so that timestamps increase with versions.
    pairs = [(operation, operation.task_id(owner)) for operation in operations]
    ids = {task_id for operation, task_id in pairs if task_id and operation.verb != PURGE}
    tasks = _load_one(rows_for, owner, *ids) if len(operations) == 1 else _load_many(rows_for(owner), ids)
    loaded_versions = {task.pk: task.version for task in tasks.values()}
    keyed = {task_id for operation, task_id in pairs if operation.key is not None}
    purged_ids = _purged(owner, keyed - tasks.keys())
    changed: dict[uuid.UUID, tuple[Task, set[str]]] = {}
    results: list[Any] = []
    for operation, task_id in pairs:
        if operation.verb == PURGE:
            results.append(_purge(owner, operation, rows_for(owner), version=next(versions), at=at))
            continue
        if operation.verb == CREATE:
            if task_id in purged_ids:
                raise Gone(details=operation.details("key"))
            if task_id and task_id in tasks:  # Creating again with the same key changes nothing.
                results.append(tasks[task_id])
                continue
            task = Task(id=task_id or uuid.uuid4(), owner_id=owner.pk, created_at=at)
            task.is_new = True
            tasks[task.pk] = task
        else:
            task = _find(tasks, loaded_versions, operation, rows_for, owner)
        if columns := VERBS[operation.verb](task, operation.values, at):
            task.version, task.updated_at = next(versions), at
            changed.setdefault(task.pk, (task, {"version", "updated_at"}))[1].update(columns)
        results.append(task)
    if changed:
        _store(rows_for, owner, list(changed.values()), loaded_versions)
    elif not any(operation.verb == PURGE for operation in operations):
        Clock.objects.return_ticks(owner, by=len(operations))
    return results


def perform_for_owners(verb: str, ids: Collection[uuid.UUID]) -> list[Task]:
    """Apply a verb to tasks of many owners, and return the changed tasks. Requires a transaction.

    Tasks to which the verb does not apply are skipped. The number of queries is constant. A transaction that
    calls this several times must process owners in ascending order; otherwise two of them could deadlock.
    """
    rows = Task.objects.filter(pk__in=ids)
    if not (counts := dict.fromkeys(rows.values_list("owner", flat=True), 0)):
        return []
    Clock.objects.tick_many(counts)
    at = timezone.now()
    changed: list[tuple[Task, set[str]]] = []
    for task in rows.all():
        if not _applies(verb, task):
            continue
        columns = {"version"} if verb == PURGE else VERBS[verb](task, {}, at)
        if columns:
            changed.append((task, columns | {"version", "updated_at"}))
    tasks = [task for task, _ in changed]
    if tasks:
        ticks = Clock.objects.tick_many(Counter(task.owner_id for task in tasks))
        versions = {owner: iter(ticks) for owner, ticks in ticks.items()}
        for task in tasks:
            task.version, task.updated_at = next(versions[task.owner_id]), at
        if verb == PURGE:
            Tombstone.objects.bulk_create(
                Tombstone(owner_id=task.owner_id, task=task.pk, version=task.version, purged_at=at)
                for task in tasks
            )
            Task.objects.filter(pk__in=[task.pk for task in tasks]).delete()
        else:
            _store_many(changed, existing={task.pk for task in tasks})
    return tasks


COLUMNS = [column.attname for column in Task._meta.concrete_fields]


@cache
def _load_query(rows_for: RowsFor) -> CompiledQuery:
    return CompiledQuery(
        lambda owner, task: rows_for(owner).filter(pk=task).values_list(*COLUMNS),
        owner=UUIDField(),
        task=UUIDField(),
    )


def _load_one(rows_for: RowsFor, owner: Any, task: uuid.UUID | None = None) -> dict[uuid.UUID, Task]:
    """Without a lock: the UPDATE of a single task is guarded by its version."""
    rows = _load_query(rows_for)(owner=owner.pk, task=task) if task else []
    return {task.pk: task for task in (Task.from_db(connection.alias, COLUMNS, row) for row in rows)}


def _load_many(rows: TaskQuerySet, ids: set[uuid.UUID]) -> dict[uuid.UUID, Task]:
    """Locked, in case a writer has not locked the clock."""
    return rows.select_for_update().in_bulk(ids)


def _purged(owner: Any, ids: set[uuid.UUID | None]) -> set[uuid.UUID]:
    if not ids:
        return set()
    return set(Tombstone.objects.for_user(owner).filter(task__in=ids).values_list("task", flat=True))


def _applies(verb: str, task: Task) -> bool:
    return verb in ALLOWED_IN_TRASH if task.deleted_at else verb != PURGE


def _find(
    tasks: Mapping[uuid.UUID, Task],
    loaded_versions: Mapping[uuid.UUID, int],
    operation: Operation,
    rows_for: RowsFor,
    owner: Any,
) -> Task:
    task = tasks.get(operation.task) if operation.task else None
    if task is None or not _applies(operation.verb, task):
        raise NotFound(details=operation.details("id"))
    if operation.versions is not None and loaded_versions.get(task.pk, 0) not in operation.versions:
        current = as_dict(rows_for(owner).filter(pk=task.pk).first() or task)
        raise PreconditionFailed(details=operation.details("if_match", current=current))
    return task


def _purge(owner: Any, operation: Operation, rows: TaskQuerySet, *, version: int, at: datetime) -> Tombstone:
    task = rows.trashed().filter(pk=operation.task)
    allowed = task if operation.versions is None else task.filter(version__in=operation.versions)
    if not Tombstone.objects.replace(allowed, owner, versions=range(version, version + 1), at=at):
        current = task.first()
        if current is None:
            raise NotFound(details=operation.details("id"))
        raise PreconditionFailed(details=operation.details("if_match", current=as_dict(current)))
    return Tombstone(owner_id=owner.pk, task=cast(uuid.UUID, operation.task), version=version, purged_at=at)


def _store(
    rows_for: RowsFor,
    owner: Any,
    changed: Sequence[tuple[Task, set[str]]],
    loaded_versions: Mapping[uuid.UUID, int],
) -> None:
    """Write only the changed columns, in one statement for any number of tasks."""
    if len(changed) > 1:
        _store_many(changed, existing=loaded_versions.keys())
        return
    [(task, columns)] = changed
    if task.pk not in loaded_versions:
        insert(task)
        return
    update = _update_query(rows_for, frozenset(columns))
    if not update(task, owner=owner.pk, task=task.pk, loaded_version=loaded_versions[task.pk]):
        raise Conflict  # A writer has not locked the clock.


@cache
def _update_query(rows_for: RowsFor, columns: frozenset[str]) -> CompiledUpdate:
    return CompiledUpdate(
        lambda owner, task, loaded_version: rows_for(owner).filter(pk=task, version=loaded_version),
        [Task._meta.get_field(column) for column in sorted(columns)],
        owner=UUIDField(),
        task=UUIDField(),
        loaded_version=BigIntegerField(),
    )


def _store_many(changed: Sequence[tuple[Task, set[str]]], *, existing: Collection[uuid.UUID]) -> None:
    tasks = [task for task, _ in changed]
    columns = set().union(*(columns for task, columns in changed if task.pk in existing))
    if columns:
        Task.objects.bulk_create(tasks, update_conflicts=True, unique_fields=["id"], update_fields=columns)
    else:
        Task.objects.bulk_create(tasks)
