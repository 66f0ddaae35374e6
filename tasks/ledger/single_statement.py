"""Writes of one object that concern no other one, in one statement and without a transaction, on PostgreSQL.

The statement increments the owner's clock, which locks it, and then writes the row with the new version. If
it writes nothing, as with an object in the trash or a full quota, perform() finds out why.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    CharField,
    Exists,
    Expression,
    F,
    IntegerField,
    JSONField,
    UUIDField,
)
from django.db.models.expressions import RawSQL

from todo_project.api.errors import quota_limit
from todo_project.db.compiled import (
    CompiledUpdate,
    Placeholder,
    Statement,
    execute,
    insert_from_statement,
)
from todo_project.db.distribution import is_distributed

from .kinds import CREATE, Kind, RowsFor, owned
from .models import Clock
from .operations import Operation
from .querysets import ObjectQuerySet
from .writes import Draft, Write


@dataclass(frozen=True)
class Written:
    """An object as it was stored."""

    pk: uuid.UUID
    version: int
    json: str
    is_new: bool


class ClockColumn(Expression):
    """A column of the clock that the statement has incremented."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return f"clock.{self.name}", []


VERSION: Any = ClockColumn("tick")
TIME: Any = ClockColumn("at")


class Creation(Write):
    """Makes one object. Only the statement that stores it will know its version and time."""

    next_version = VERSION

    def __init__(self, owner: Any) -> None:
        self.owner_id, self.at, self.drafts = owner.pk, TIME, {}

    def record(self, draft: Draft, columns: Collection[str]) -> None:
        draft.object.version, draft.object.updated_at = VERSION, TIME


def perform_in_one_statement(owner: Any, operation: Operation, rows_for: RowsFor = owned) -> Written | None:
    """Return None if the operation takes more than one statement, or if nothing was written."""
    fields = operation.kind.single_statement_fields.get(operation.verb, frozenset())
    names = operation.values.keys()
    if operation.key is not None or not names or not names <= fields:
        return None
    # Citus returns only columns from a write.
    if connection.vendor != "postgresql" or is_distributed():
        return None
    if operation.verb == CREATE:
        return _create(owner, operation.kind, operation.values)
    return _update(owner, operation, rows_for)


def _create(owner: Any, kind: Kind, values: Mapping[str, Any]) -> Written | None:
    new = Creation(owner).create(kind.model, uuid.uuid4(), values)
    quota = quota_limit(kind.quota) if kind.quota else None
    clock = _clock_with_one_more(kind).statement(owner=owner.pk, state=new.state, quota=quota)
    return _execute(kind, new.pk, clock, insert_from_statement(new, "clock"), is_new=True)


def _update(owner: Any, operation: Operation, rows_for: RowsFor) -> Written | None:
    kind, versions = operation.kind, operation.versions
    row: dict[str, Any] = {"owner": owner.pk, "id": operation.id}
    if versions is not None:
        if len(versions) != 1:
            return None
        [row["version"]] = versions
    clock, update = _clock_and_update(kind, rows_for, frozenset(operation.values), versions is not None)
    return _execute(
        kind, operation.id, clock.statement(**row), update.statement(operation.values, **row), is_new=False
    )


def _execute(
    kind: Kind, object_id: Any, clock: Statement, write: Statement, *, is_new: bool
) -> Written | None:
    (clock_sql, clock_params), (write_sql, params) = clock, write
    sql = (
        f"WITH clock AS ({clock_sql} RETURNING tick, clock_timestamp() AS at) "
        f"{write_sql} RETURNING {_returned(kind)}"
    )
    for version, json in execute(sql, [*clock_params, *params], lambda cursor: cursor.fetchall()):
        return Written(object_id, version, json, is_new)
    return None


@cache
def _returned(kind: Kind) -> str:
    json = kind.json().resolve_expression(kind.model.objects.all().query)
    return f'"{kind.model._meta.db_table}"."version", {json.as_sql(None, connection)[0]}'


@cache
def _clock_with_one_more(kind: Kind) -> CompiledUpdate:
    """The increment of a clock that counts a new object, unless the quota is full."""
    counts, state = f"ledger_clock.counts -> '{kind.name}'", Placeholder("state", CharField())
    one_more = RawSQL(  # noqa: S611
        f"jsonb_set(ledger_clock.counts, '{{{kind.name}}}', coalesce({counts}, '{{}}') || "
        f"jsonb_build_object(%s::text, coalesce(({counts} ->> %s::text)::int, 0) + 1))",
        [state, state],
        JSONField(),
    )
    is_below_quota = RawSQL(  # noqa: S611
        f"%s > (SELECT coalesce(sum(value::int), 0) FROM jsonb_each_text({counts}))",  # noqa: S608
        [Placeholder("quota", IntegerField())],
        BooleanField(),
    )

    def build(owner: Any, **placeholders: Any) -> Any:
        clocks = Clock.objects.for_user(owner)
        return clocks.filter(is_below_quota) if kind.quota else clocks

    return CompiledUpdate(build, expressions={"tick": F("tick") + 1, "counts": one_more}, owner=UUIDField())


@cache
def _clock_and_update(
    kind: Kind, rows_for: RowsFor, columns: frozenset[str], has_version: bool
) -> tuple[CompiledUpdate, CompiledUpdate]:
    """The increment of a clock if there is a row to update, and the update.

    Both have the same condition. Only the second one is checked again if another write was waited for: then
    no object may get the version, which a client cannot distinguish from a change of another object.
    """

    def rows(owner: Any, id: Any, **version: Any) -> ObjectQuerySet:  # noqa: A002
        return rows_for(kind, owner).live().filter(pk=id, **version)

    def clocks(owner: Any, **row: Any) -> Any:
        return Clock.objects.for_user(owner).filter(Exists(rows(owner, **row)))

    row: Any = {
        "owner": UUIDField(),
        "id": UUIDField(),
        **({"version": BigIntegerField()} if has_version else {}),
    }
    fields = [kind.model._meta.get_field(name) for name in sorted(columns)]
    new = {"version": VERSION, "updated_at": TIME}
    return (
        CompiledUpdate(clocks, expressions={"tick": F("tick") + 1}, **row),
        CompiledUpdate(rows, fields, expressions=new, source="clock", **row),
    )
