"""All changes of objects go through perform(), which applies operations in order, all or none.

It locks the owner's clock before it reads an object, so no other write comes between the read and the write.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import BigIntegerField, UUIDField
from django.utils import timezone

from todo_project.api.errors import Conflict, Gone, NotFound, PreconditionFailed, ValidationFailed
from todo_project.db.compiled import (
    CompiledQuery,
    CompiledUpdate,
    Statement,
    execute_all,
    insert_statement,
    update_many,
)
from todo_project.db.stored_responses import forget_objects

from .kinds import CREATE, DELETE, PURGE, Kind, RowsFor, owned
from .models import Clock, OwnedObject, Tombstone


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


@dataclass
class Draft:
    """An object with changes that are not stored yet."""

    kind: Kind
    object: Any
    loaded_version: int = 0
    """0 if the object is new."""
    loaded_state: str | None = None
    columns: set[str] = field(default_factory=set)
    is_purged: bool = False

    @classmethod
    def of(cls, kind: Kind, each: OwnedObject) -> "Draft":
        return cls(kind, each, loaded_version=each.version, loaded_state=each.state)

    @property
    def result(self) -> OwnedObject | Tombstone:
        return self.tombstone if self.is_purged else self.object

    @property
    def tombstone(self) -> Tombstone:
        return Tombstone(
            owner_id=self.object.owner_id,
            kind=self.kind.name,
            object_id=self.object.pk,
            version=self.object.version,
            purged_at=self.object.updated_at,
        )

    def apply(self, verb: str, values: Mapping[str, Any], clock: Clock, at: datetime) -> None:
        if verb == PURGE or (verb == DELETE and not self.kind.has_trash):
            self.is_purged, columns = True, {"deleted_at"}
        else:
            columns = self.kind.all_verbs[verb](self.object, values, at)
        if columns:
            self.columns |= {*columns, "version", "updated_at"}
            self.object.version, self.object.updated_at = clock.next_version(), at

    def count(self, clock: Clock) -> None:
        """Update the clock's counts."""
        state = None if self.is_purged else self.object.state
        if state != self.loaded_state:
            changes = {each: by for each, by in ((self.loaded_state, -1), (state, 1)) if each}
            clock.count(self.kind.name, changes)
            if not self.loaded_version:
                self.kind.check_quota(clock)


def perform(owner: Any, operations: Sequence[Operation], rows_for: RowsFor = owned) -> list[Any]:
    """Return the object of each operation after all operations, or its tombstone. Requires a transaction."""
    clock = Clock.objects.lock(owner)
    at = timezone.now()  # Only after the clock is locked, so that times increase with versions.
    drafts = _load(operations, owner, rows_for)
    purged_ids = _purged(operations, owner, drafts)
    used = []
    for operation in operations:
        draft = drafts.get(operation.object_id(owner))
        if operation.verb != CREATE:
            draft = _find(draft, operation, rows_for, owner)
            _apply(operation, draft, clock, at)
        elif operation.object_id(owner) in purged_ids or (draft and draft.is_purged):
            raise Gone(details=operation.details("key"))
        elif draft is None:
            draft = _new(operation, owner, at)
            drafts[draft.object.pk] = draft
            _apply(operation, draft, clock, at)
        used.append(draft)  # Creating again with the same key changes nothing.
    _store({owner.pk: clock}, [draft for draft in drafts.values() if draft.columns], rows_for)
    return [draft.result for draft in used]


def perform_for_owners(kind: Kind, verb: str, ids: Collection[uuid.UUID]) -> list[Any]:
    """Apply a verb to objects of many owners, and return the changed objects. Requires a transaction.

    Objects to which the verb does not apply are skipped. The number of queries is constant. A transaction
    that calls this several times must process owners in ascending order; otherwise two could deadlock.
    """
    rows = kind.model.objects.filter(pk__in=ids)
    clocks = Clock.objects.lock_many(set(rows.values_list("owner", flat=True)))
    at = timezone.now()
    drafts = [Draft.of(kind, each) for each in rows.all() if each.owner_id in clocks]
    for draft in drafts:
        if kind.allows(verb, draft.object):
            draft.apply(verb, {}, clocks[draft.object.owner_id], at)
    changed = [draft for draft in drafts if draft.columns]
    _store(clocks, changed)
    return [draft.object for draft in changed]


def _load(operations: Sequence[Operation], owner: Any, rows_for: RowsFor) -> dict[Any, Draft]:
    ids: dict[Kind, set[uuid.UUID]] = defaultdict(set)
    for operation in operations:
        if object_id := operation.object_id(owner):
            ids[operation.kind].add(object_id)
    loaded: dict[Any, Draft] = {}
    for kind, each in ids.items():
        rows: Iterable[OwnedObject]
        if len(operations) == 1:
            # Without a lock: the UPDATE of a single object is guarded by its version.
            rows = _load_one(kind, rows_for, owner, *each)
        else:
            # Locked, in case a writer has not locked the clock.
            rows = rows_for(kind, owner).with_ids(each).select_for_update()
        loaded |= {row.pk: Draft.of(kind, row) for row in rows}
    return loaded


def _load_one(kind: Kind, rows_for: RowsFor, owner: Any, object_id: uuid.UUID) -> list[OwnedObject]:
    columns = [column.attname for column in kind.model._meta.concrete_fields]
    rows = _load_query(kind, rows_for)(owner=owner.pk, id=object_id)
    return [kind.model.from_db(connection.alias, columns, row) for row in rows]


@cache
def _load_query(kind: Kind, rows_for: RowsFor) -> CompiledQuery:
    columns = [column.attname for column in kind.model._meta.concrete_fields]
    return CompiledQuery(
        lambda owner, id: rows_for(kind, owner).filter(pk=id).values_list(*columns),  # noqa: A006
        owner=UUIDField(),
        id=UUIDField(),
    )


def _purged(operations: Sequence[Operation], owner: Any, drafts: Mapping[Any, Draft]) -> set[uuid.UUID]:
    """The ids of new objects whose key was used for an object that has been purged."""
    ids = {
        object_id
        for operation in operations
        if operation.key is not None
        and (object_id := operation.kind.id_for(owner, operation.key)) not in drafts
    }
    if not ids:
        return set()
    return set(Tombstone.objects.for_user(owner).with_ids(ids).values_list("object_id", flat=True))


def _new(operation: Operation, owner: Any, at: datetime) -> Draft:
    object_id = operation.object_id(owner) or uuid.uuid4()
    new = operation.kind.model(id=object_id, owner_id=owner.pk, created_at=at)
    new.is_new = True
    return Draft(operation.kind, new)


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


def _apply(operation: Operation, draft: Draft, clock: Clock, at: datetime) -> None:
    try:
        draft.apply(operation.verb, operation.values, clock, at)
    except ValidationFailed as error:
        if operation.path is None:
            raise
        raise error.within(operation.path) from error


def _store(clocks: Mapping[uuid.UUID, Clock], drafts: Sequence[Draft], rows_for: RowsFor = owned) -> None:
    """Write the clocks and only the changed columns, in a constant number of statements."""
    for draft in drafts:
        draft.count(clocks[draft.object.owner_id])
    if len(drafts) == 1:
        [draft] = drafts
        clock = Clock.objects.store_statement(clocks[draft.object.owner_id])
        if not execute_all(clock, _statement(draft, rows_for)):
            raise Conflict  # A writer has not locked the clock.
    elif drafts:
        owners = {draft.object.owner_id for draft in drafts}
        Clock.objects.store(*(clocks[owner] for owner in owners))
        Tombstone.objects.bulk_create(draft.tombstone for draft in drafts if draft.is_purged)
    if purged_ids := [draft.object.pk for draft in drafts if draft.is_purged]:
        forget_objects(clocks.keys(), purged_ids)
    by_kind: dict[Kind, list[Draft]] = defaultdict(list)
    for draft in drafts:
        by_kind[draft.kind].append(draft)
    for kind, each in by_kind.items():
        if len(drafts) > 1:
            _store_many(kind, [draft for draft in each if not draft.is_purged])
        if purged := [draft.object.pk for draft in each if draft.is_purged and draft.loaded_version]:
            kind.model.objects.filter(owner__in=clocks, pk__in=purged).delete()


def _store_many(kind: Kind, drafts: Iterable[Draft]) -> None:
    new: list[Draft] = []
    existing: list[Draft] = []
    for draft in drafts:
        (existing if draft.loaded_version else new).append(draft)
    kind.model.objects.bulk_create(draft.object for draft in new)
    columns = set().union(*(draft.columns for draft in existing))
    if update_many([draft.object for draft in existing], columns, key=["owner", "id"]) != len(existing):
        raise Conflict  # A writer has not locked the clock.


def _statement(draft: Draft, rows_for: RowsFor) -> Statement:
    if draft.is_purged:
        return insert_statement(draft.tombstone)
    if not draft.loaded_version:
        return insert_statement(draft.object)
    update = _update_query(draft.kind, rows_for, frozenset(draft.columns))
    each = draft.object
    return update.statement(each, owner=each.owner_id, id=each.pk, loaded_version=draft.loaded_version)


@cache
def _update_query(kind: Kind, rows_for: RowsFor, columns: frozenset[str]) -> CompiledUpdate:
    return CompiledUpdate(
        lambda owner, id, loaded_version: rows_for(kind, owner).filter(pk=id, version=loaded_version),  # noqa: A006
        [kind.model._meta.get_field(column) for column in sorted(columns)],
        owner=UUIDField(),
        id=UUIDField(),
        loaded_version=BigIntegerField(),
    )
