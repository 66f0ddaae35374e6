"""The changes of one transaction to an owner's objects: made in memory, and then stored together."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

import orjson
from django.db import connection
from django.db.models import BigIntegerField, CharField, UUIDField, Value
from django.db.models.functions import Cast

from todo_project.api.errors import Conflict
from todo_project.db.compiled import (
    CompiledQuery,
    CompiledUpdate,
    Statement,
    delete_statement,
    execute,
    execute_all,
    insert_many,
    insert_statement,
    update_many,
)
from todo_project.db.json_text import JSONText
from todo_project.db.stored_responses import forget_objects

from .kinds import CREATE, Kind, Lookup, OwnersRows, Rows, RowsFor, Verb, kind_of, kinds, owned
from .models import Clock, Link, OwnedObject, Tombstone
from .querysets import Ids, ObjectQuerySet

M = TypeVar("M", bound=OwnedObject)
Find = Callable[[Rows, Ids], ObjectQuerySet]
"""The function of a Lookup."""

LINKS = 1000
"""Written in one statement, which may have at most 65,535 parameters on PostgreSQL."""


@dataclass
class Draft:
    """An object with changes that are not stored yet."""

    kind: Kind
    object: Any
    loaded_version: int = 0
    """0 if the object is new."""
    loaded_state: str | None = None
    loaded_links: Mapping[str, Any] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    is_purged: bool = False

    @classmethod
    def of(cls, kind: Kind, each: OwnedObject) -> "Draft":
        links = {name: getattr(each, name) for name in kind.links}
        return cls(kind, each, each.version, each.state, links)

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


class Write:
    """The objects of one owner, whose clock is locked. Verbs change them through it."""

    def __init__(self, clock: Clock, rows: Rows) -> None:
        self.clock, self.rows, self.owner_id, self.at = clock, rows, clock.pk, clock.locked_at
        self.drafts: dict[uuid.UUID, Draft] = {}
        self.looked_up: set[uuid.UUID] = set()

    @property
    def next_version(self) -> int:
        return self.clock.tick + 1

    def load(self, *objects: OwnedObject) -> None:
        """Add stored objects, except those that are there already, perhaps with changes."""
        for each in objects:
            if each.pk not in self.drafts:
                self.drafts[each.pk] = Draft.of(kind_of(type(each)), each)

    def objects(self, model: type[M]) -> list[M]:
        found = (draft.object for draft in self.drafts.values() if not draft.is_purged)
        return [each for each in found if isinstance(each, model)]

    def find(self, model: type[M], object_id: uuid.UUID | None) -> M | None:
        """An object that is not in the trash."""
        draft = self.drafts.get(object_id) if object_id else None
        if draft is None or draft.is_purged or draft.object.deleted_at:
            return None
        return draft.object if isinstance(draft.object, model) else None

    def contents(self, container: OwnedObject) -> list[Any]:
        """The loaded objects that are in an object, directly or not."""
        by_container: dict[uuid.UUID, list[Any]] = defaultdict(list)
        for draft in self.drafts.values():
            if not draft.is_purged:
                for container_id in draft.object.container_ids:
                    by_container[container_id].append(draft.object)
        found: dict[uuid.UUID, Any] = {}
        queue = [container.pk]
        for container_id in queue:
            for each in by_container[container_id]:
                if each.pk not in found:
                    found[each.pk] = each
                    queue.append(each.pk)
        return [*found.values()]

    def create(self, model: type[M], object_id: uuid.UUID, values: Mapping[str, Any]) -> M:
        kind = kind_of(model)
        new = model.new(id=object_id, owner_id=self.owner_id, created_at=self.at)
        new.is_new = True
        draft = self.drafts[object_id] = Draft(kind, new)
        self.record(draft, kind.all_verbs[CREATE](new, values, self))
        return new

    def copy(self, each: M, object_id: uuid.UUID, **changes: Any) -> M:
        """Create an object with the values of another one, or overwrite an object in the trash."""
        model, kind = type(each), kind_of(type(each))
        draft = self.drafts.get(object_id)
        if draft is None:
            new = model(id=object_id, owner_id=self.owner_id)
            new.is_new = True
            draft = self.drafts[object_id] = Draft(kind, new)
        columns = [column for column in model._meta.concrete_fields if column.name in kind.fields]
        values = {column.name: getattr(each, column.attname) for column in columns}
        values |= {"created_at": self.at, "deleted_at": None, **changes}
        self.record(draft, draft.object.set_fields(values, at=self.at))
        return cast(M, draft.object)

    def look_up(self, model: type[OwnedObject], ids: Collection[uuid.UUID]) -> None:
        """Load objects that have not been loaded, or only without their texts, perhaps from the trash.

        The others may be created, even after they were purged: then their tombstones are removed.
        """
        for each in self.rows(model).with_ids(ids):
            self.load(each)
            for column in model.search_columns:
                self.drafts[each.pk].object.__dict__.setdefault(column, getattr(each, column))
        self.looked_up |= {*ids}

    @property
    def time_zone(self) -> ZoneInfo:
        """Of the owner."""
        return ZoneInfo(self.clock.owner.time_zone)

    def change(self, each: OwnedObject, **values: Any) -> None:
        """Set fields of another object than that of the operation."""
        self.record(self.drafts[each.pk], each.set_fields(values, at=self.at))

    def apply(self, verb: Verb, each: OwnedObject) -> None:
        self.record(self.drafts[each.pk], verb(each, {}, self))

    def purge(self, each: OwnedObject) -> None:
        draft = self.drafts[each.pk]
        draft.is_purged = True
        self.record(draft, {"deleted_at"})

    def record(self, draft: Draft, columns: Collection[str]) -> None:
        if columns:
            draft.columns |= {*columns, "version", "updated_at"}
            draft.object.version, draft.object.updated_at = self.clock.next_version(), self.at

    def changed(self) -> list[Draft]:
        return [draft for draft in self.drafts.values() if draft.columns]

    def count(self) -> None:
        """Update the clock's counts."""
        grown = {}
        for draft in self.changed():
            state = None if draft.is_purged else draft.object.state
            if state != draft.loaded_state:
                changes = {each: by for each, by in ((draft.loaded_state, -1), (state, 1)) if each}
                self.clock.count(draft.kind.name, changes)
                if not draft.loaded_version:
                    grown[draft.kind.name] = draft.kind
        for kind in grown.values():
            kind.check_quota(self.clock)


@cache
def contents(kind: Kind) -> list[Find]:
    """How to find objects and what is in them, of each kind; empty if nothing can be in them.

    An object that is in another one of its kind is in the same objects of other kinds as that one.
    """

    def find(rows: Rows, ids: Ids) -> ObjectQuerySet:
        return rows(kind.model).with_contents(ids)

    def find_others(rows: Rows, ids: Ids, *, model: Any, name: str) -> ObjectQuerySet:
        return rows(model).filter(**{f"{name}__in": find(rows, ids).values("pk")})

    others: list[Find] = [
        partial(find_others, model=other.model, name=name)
        for other in kinds.values()
        for name, model in other.model.containers().items()
        if other is not kind and model is kind.model
    ]
    return [find, *others] if others or "parent" in kind.model.containers() else []


def read(lookups: Sequence[Lookup], rows: Rows) -> Iterator[OwnedObject]:
    """Rows of several kinds in one statement. The columns with long texts are left out."""
    if not lookups:
        return
    selects = [_select(each, rows) for each in lookups]
    sql = " UNION ALL ".join(sql for sql, _, _ in selects)
    params = [param for _, params, _ in selects for param in params]
    # For each number of ids it is other SQL, which is not worth preparing.
    prepare = all(is_constant for _, _, is_constant in selects)
    for name, text in execute(sql, params, lambda cursor: cursor.fetchall(), prepare=prepare):
        model: type[OwnedObject] = kinds[name].model
        values = orjson.loads(text)
        fields: list[Any] = [model._meta.get_field(column) for column in _columns(kinds[name])]
        yield model.from_db(
            connection.alias,
            [field.attname for field in fields],
            [field.to_python(values[field.name]) for field in fields],
        )


def _select(lookup: Lookup, rows: Rows) -> tuple[str, list[Any], bool]:
    """The SQL, its parameters, and whether it is always the same SQL."""
    if isinstance(rows, OwnersRows) and len(lookup.ids) == 1:
        [object_id] = lookup.ids
        query = _lookup_query(lookup.find, rows.rows_for, connection.vendor)
        return *query.statement(owner=rows.owner.pk, id=object_id), True
    sql, params = _texts(lookup.find(rows, lookup.ids)).query.sql_with_params()
    return sql, list(params), False


@cache
def _lookup_query(find: Find, rows_for: RowsFor, vendor: str) -> CompiledQuery:
    return CompiledQuery(
        lambda owner, id: _texts(find(OwnersRows(owner, rows_for), [id])),  # noqa: A006
        owner=UUIDField(),
        id=UUIDField(),
    )


def _texts(rows: ObjectQuerySet) -> Any:
    """The name of the kind, and the JSON text of each row."""
    kind = kind_of(rows.model)
    return rows.order_by().values_list(Value(kind.name, CharField()), JSONText(*_columns(kind)))


@cache
def _columns(kind: Kind) -> tuple[str, ...]:
    """In the order of the model's fields, as from_db() needs them."""
    return tuple(
        field.name
        for field in kind.model._meta.concrete_fields
        if not field.generated and field.name not in kind.model.search_columns
    )


def store(writes: Sequence[Write], rows_for: RowsFor = owned) -> None:
    """Write the clocks and only the changed columns, in a constant number of statements."""
    drafts = [draft for write in writes for draft in write.changed()]
    if not drafts:
        return
    for write in writes:
        write.count()
    clocks = [write.clock for write in writes if write.changed()]
    for write in writes:
        if new := write.looked_up & {
            draft.object.pk for draft in write.changed() if not draft.loaded_version
        }:
            Tombstone.objects.filter(owner=write.clock.pk).with_ids(new).delete()
    _delete_purged([draft for draft in drafts if draft.is_purged], owners=[clock.pk for clock in clocks])
    links = link_statements(drafts)
    if len(drafts) == 1:
        [draft] = drafts
        clock = Clock.objects.store_statement(*clocks)
        if not execute_all(clock, *links, _statement(draft, rows_for)):
            raise Conflict  # A writer has not locked the clock.
        return
    Clock.objects.store(*clocks)
    Tombstone.objects.bulk_create(draft.tombstone for draft in drafts if draft.is_purged)
    for kind, each in _by_kind(draft for draft in drafts if not draft.is_purged):
        _store_many(kind, each)
    for statement in links:
        execute_all(statement)


def _delete_purged(drafts: Sequence[Draft], *, owners: Sequence[uuid.UUID]) -> None:
    """Before others are stored: a new label may have the name of a purged one."""
    if drafts:
        forget_objects(owners, [draft.object.pk for draft in drafts])
    for kind, each in _by_kind(draft for draft in drafts if draft.loaded_version):
        ids = [draft.object.pk for draft in each]
        kind.model.objects.filter(owner__in=owners, pk__in=ids).delete_with_links()


def _by_kind(drafts: Iterable[Draft]) -> Iterable[tuple[Kind, list[Draft]]]:
    by_kind: dict[Kind, list[Draft]] = defaultdict(list)
    for draft in drafts:
        by_kind[draft.kind].append(draft)
    return by_kind.items()


def _store_many(kind: Kind, drafts: Iterable[Draft]) -> None:
    new: list[Any] = []
    existing: dict[frozenset[str], list[Draft]] = defaultdict(list)
    for draft in drafts:
        if draft.loaded_version:
            # Columns that were not loaded cannot be written along with those of other objects.
            existing[frozenset(draft.object.get_deferred_fields())].append(draft)
        else:
            new.append(draft.object)
    for each in existing.values():
        columns = set().union(*(draft.columns for draft in each))
        if len(each) > 1 and (names := columns & _unique_columns(kind)):
            # Objects may exchange their values, and the database compares them row by row.
            rows = kind.model.objects.filter(owner__in={draft.object.owner_id for draft in each})
            unique = dict.fromkeys(names, Cast("pk", CharField()))
            rows.with_ids([draft.object.pk for draft in each]).update(**unique)
        if update_many([draft.object for draft in each], columns, key=["owner", "id"]) != len(each):
            raise Conflict  # A writer has not locked the clock.
    # After the others: a new label may have the former name of a renamed one.
    insert_many(new)


@cache
def _unique_columns(kind: Kind) -> set[str]:
    """Besides versions, which are new."""
    unique = kind.model._meta.total_unique_constraints
    return {name for constraint in unique for name in constraint.fields} - {"owner", "version"}


def link_statements(drafts: Iterable[Draft]) -> list[Statement]:
    """Make the tables of links equal to the sets in the objects."""
    statements = []
    purged = {draft.object.pk for draft in drafts if draft.is_purged}
    for kind, each in _by_kind(draft for draft in drafts if not draft.is_purged):
        for name, model in kind.links.items():
            target = model.target_of(kind.name)
            added: list[Link] = []
            removed: dict[tuple[uuid.UUID, frozenset[uuid.UUID]], list[uuid.UUID]] = defaultdict(list)
            for draft in each:
                if name in draft.columns:
                    owner_id, object_id = draft.object.owner_id, draft.object.pk
                    before, after = {*draft.loaded_links.get(name, ())}, {*getattr(draft.object, name)}
                    added += (
                        model(**{"owner_id": owner_id, f"{kind.name}_id": object_id, f"{target}_id": each})
                        for each in after - before
                    )
                    if gone := frozenset(before - after - purged):
                        removed[owner_id, gone].append(object_id)
            for (owner_id, targets), ids in removed.items():
                links = model.objects.filter(owner=owner_id)
                links = links.filter(**{f"{kind.name}__in": ids, f"{target}__in": targets})
                statements.append(delete_statement(links))
            batches = (added[start : start + LINKS] for start in range(0, len(added), LINKS))
            statements += (insert_statement(*batch) for batch in batches)
    return statements


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
