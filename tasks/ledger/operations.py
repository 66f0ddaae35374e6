"""All changes of objects go through perform(), which applies operations in order, all or none.

It locks the owner's clock before it reads an object, so no other write comes between the read and the write.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import UUIDField

from todo_project.api.errors import Conflict, Gone, NotFound, PreconditionFailed, ValidationFailed
from todo_project.db.compiled import CompiledQuery
from todo_project.db.distribution import is_distributed

from .kinds import ALLOWED_IN_TRASH, CREATE, FindObject, Kind, Lookup, OwnersRows, RowsFor, owned
from .models import Clock, OwnedObject, Tombstone
from .querysets import ObjectQuerySet
from .writes import Draft, Write, contents, read, store


@dataclass(frozen=True)
class Operation:
    """One requested change."""

    kind: Kind
    verb: str
    id: uuid.UUID | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    """With CREATE: the client's name for the object, from which its id is computed."""
    versions: Collection[int] | None = None
    """The versions that the object may have before the first operation, 0 if it is new; None for any."""
    path: str | None = None
    """The path for error messages, such as operations.3, if the request has several operations."""

    def object_id(self, owner: Any) -> uuid.UUID | None:
        return self.id if self.key is None else self.kind.id_for(owner, self.key)

    def details(self, name: str, **more: Any) -> dict[str, Any]:
        return {**({"field": f"{self.path}.{name}"} if self.path else {}), **more}


def perform(owner: Any, operations: Sequence[Operation], rows_for: RowsFor = owned) -> list[Any]:
    """Return the object of each operation after all operations, or its tombstone. Requires a transaction."""
    clock = Clock.objects.lock(owner)
    clock.owner = owner
    write = Write(clock, OwnersRows(owner, rows_for))
    _load(write, operations, owner, rows_for)
    purged_ids = _purged(operations, owner, write)
    used = []
    for number, operation in enumerate(operations):
        # What one operation trashes or completes has one time, which no other one has.
        write.at = clock.locked_at + number * timedelta.resolution
        used.append(_perform_one(operation, write, owner, rows_for, purged_ids))
    store([write], rows_for)
    return [draft.result for draft in used]


def _perform_one(
    operation: Operation, write: Write, owner: Any, rows_for: RowsFor, purged_ids: Collection[uuid.UUID]
) -> Draft:
    object_id = operation.object_id(owner)
    draft = write.drafts.get(object_id) if object_id else None
    try:
        if operation.verb != CREATE:
            draft = _find(draft, operation, rows_for, owner)
            verb = operation.kind.all_verbs[operation.verb]
            write.record(draft, verb(draft.object, operation.values, write))
        elif object_id in purged_ids or (draft and draft.is_purged):
            raise Gone(details=operation.details("key"))
        elif draft is None:
            new = write.create(operation.kind.model, object_id or uuid.uuid4(), operation.values)
            draft = write.drafts[new.pk]
    except ValidationFailed as error:
        if operation.path is None:
            raise
        raise error.within(operation.path) from error
    except Conflict as error:
        if operation.path and "field" in error.details:
            error.details["field"] = f"{operation.path}.{error.details['field']}"
        raise
    return draft  # Creating again with the same key changes nothing.


def perform_for_owners(
    kind: Kind, verb: str, ids: Collection[uuid.UUID], values: Mapping[str, Any] | None = None
) -> list[Any]:
    """Apply a verb to objects of many owners, and return the changed objects. Requires a transaction.

    Objects to which the verb does not apply are skipped. The number of queries is constant, except for two
    for each owner whose operations look up objects. A transaction that calls this several times must process
    owners in ascending order; otherwise two could deadlock.
    """
    named = kind.model.objects.filter(pk__in=ids)
    owners = set(named.values_list("owner", flat=True))
    if len(owners) > 1 and is_distributed():  # Citus locks rows of one owner at a time.
        each_owners = (named.filter(owner=owner).values_list("pk", flat=True) for owner in sorted(owners))
        return [each for pks in each_owners for each in perform_for_owners(kind, verb, list(pks), values)]
    clocks = Clock.objects.lock_many(owners)

    def rows(model: type[OwnedObject]) -> ObjectQuerySet:
        found: ObjectQuerySet = model.objects.filter(owner__in=clocks)
        return found

    writes = {owner_id: Write(clock, rows) for owner_id, clock in clocks.items()}
    selected = [each for each in named.all() if each.owner_id in clocks and kind.allows(verb, each)]
    operations = [Operation(kind, verb, each.pk, values or {}) for each in selected]
    by_id = {each.pk: each for each in selected}
    for each in [*selected, *read(_lookups(operations, lambda model, pk: by_id.get(pk)), rows)]:
        writes[each.owner_id].load(each)
    for each in selected:
        write = writes[each.owner_id]
        draft = write.drafts[each.pk]
        if kind.allows(verb, each) and not draft.is_purged:  # Perhaps with what it is in.
            write.record(draft, kind.all_verbs[verb](each, values or {}, write))
    store([*writes.values()])
    return [each for each in selected if writes[each.owner_id].drafts[each.pk].columns]


def _lookups(operations: Sequence[Operation], find: FindObject) -> list[Lookup]:
    """What the operations need besides their own objects, which `find` returns."""
    by_kind: dict[Kind, list[Operation]] = defaultdict(list)
    for operation in operations:
        by_kind[operation.kind].append(operation)
    found: list[Lookup] = []
    for kind, each in by_kind.items():
        if ids := {one.id for one in each if one.id and one.verb in ALLOWED_IN_TRASH}:
            # What an earlier operation moves into an object is trashed along with it.
            containers = kind.model.containers().keys()
            ids |= {one.id for one in each if one.id and one.values.keys() & containers}
            found += (Lookup(find, frozenset(ids)) for find in contents(kind))
        if kind.reads:
            found += kind.reads(each, find)
    return found


def _load(write: Write, operations: Sequence[Operation], owner: Any, rows_for: RowsFor) -> None:
    ids: dict[Kind, set[uuid.UUID]] = defaultdict(set)
    for operation in operations:
        if object_id := operation.object_id(owner):
            ids[operation.kind].add(object_id)
    for kind, each in ids.items():
        # Locked if there are several, in case a writer has not locked the clock. The UPDATE of a single
        # object is guarded by its version.
        query = _load_query(kind, rows_for, lock=len(operations) > 1)
        columns = _columns(kind)
        rows = query(owner=owner.pk, ids=each)
        write.load(*(kind.model.from_db(connection.alias, columns, row) for row in rows))
    write.load(*read(_lookups(operations, write.find), write.rows))


@cache
def _load_query(kind: Kind, rows_for: RowsFor, *, lock: bool) -> CompiledQuery:
    def build(owner: Any, ids: Any) -> Any:
        rows = rows_for(kind, owner).with_ids(ids)
        return (rows.select_for_update() if lock else rows).values_list(*_columns(kind))

    return CompiledQuery(build, owner=UUIDField(), ids=[UUIDField()])


@cache
def _columns(kind: Kind) -> list[str]:
    return [column.attname for column in kind.model._meta.concrete_fields]


def _purged(operations: Sequence[Operation], owner: Any, write: Write) -> set[uuid.UUID]:
    """The ids of new objects whose key was used for an object that has been purged."""
    ids = {
        object_id
        for operation in operations
        if operation.key is not None
        and (object_id := operation.kind.id_for(owner, operation.key)) not in write.drafts
    }
    if not ids:
        return set()
    return set(Tombstone.objects.for_user(owner).with_ids(ids).values_list("object_id", flat=True))


def _find(draft: Draft | None, operation: Operation, rows_for: RowsFor, owner: Any) -> Draft:
    if (
        draft is None
        or draft.kind is not operation.kind
        or draft.is_purged
        or not draft.kind.allows(operation.verb, draft.object)
    ):
        raise NotFound(details=operation.details("id"))
    if operation.versions is not None and draft.loaded_version not in operation.versions:
        kind = operation.kind
        stored = rows_for(kind, owner).filter(pk=draft.object.pk).first() if draft.columns else draft.object
        current = kind.as_dict(stored or draft.object, with_kind=operation.path is not None)
        raise PreconditionFailed(details=operation.details("if_match", current=current))
    return draft
