"""Reads of one object or a page of objects, by queries that are compiled to SQL once."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import DateField, DateTimeField, UUIDField
from django.utils.crypto import salted_hmac

from todo_project.api.conditional import etag
from todo_project.api.filters import Filter, Moment, apply_filters
from todo_project.db.compiled import CompiledQuery, fetch
from todo_project.db.json_text import JSONText
from todo_project.db.keyset import Keyset

from .kinds import Kind, RowsFor, kinds
from .querysets import ObjectQuerySet

Fields = frozenset[str]
"""The selected fields; all if it is empty."""


def list_etag(owner: Any, *, epoch: int, tick: int) -> str:
    """The ETag of all lists of an owner. It changes with every change to an object of the owner."""
    return etag(f"{owner.pk.hex}-{epoch:x}-{tick}-{_format(tuple(kinds.values()), owner.time_zone)}")


@lru_cache(maxsize=1000)
def _format(kinds: tuple[Kind, ...], time_zone: str) -> str:
    """Changes with what else a list depends on: the fields of an object, the user's time zone, which decides
    when days begin, and SECRET_KEY, which signs the cursors.
    """
    fields = ";".join(",".join(kind.json_fields) for kind in kinds)
    return salted_hmac("tasks.list", f"{time_zone};{fields}").hexdigest()[:8]


def read_one(
    kind: Kind, rows_for: RowsFor, owner: Any, object_id: uuid.UUID, *, trashed: bool, fields: Fields
) -> tuple[int, str] | None:
    """The version of an object and its JSON text; None if it does not exist."""
    found = _one(kind, rows_for, trashed, fields)(owner=owner.pk, id=object_id)
    return found[0] if found else None


@lru_cache(maxsize=1000)
def _one(kind: Kind, rows_for: RowsFor, trashed: bool, fields: Fields) -> CompiledQuery:
    return CompiledQuery(
        lambda owner, id: kind.versions_and_json(  # noqa: A006
            _narrow(rows_for(kind, owner), trashed).filter(pk=id), fields=fields
        ),
        owner=UUIDField(),
        id=UUIDField(),
    )


def _narrow(rows: ObjectQuerySet, trashed: bool) -> ObjectQuerySet:
    return rows.trashed() if trashed else rows.live()


class ObjectPage:
    """An owner's live or trashed objects as JSON text, for KeysetPagination."""

    def __init__(
        self,
        kind: Kind,
        rows_for: RowsFor,
        owner: Any,
        query: Mapping[str, Any],
        filters: Mapping[str, Filter],
        *,
        trashed: bool,
        at: datetime,
        zone: ZoneInfo,
    ) -> None:
        self.kind, self.rows_for, self.owner, self.trashed = kind, rows_for, owner, trashed
        self.moment = Moment.of(at, zone)
        self.model, self.fields, self.all_filters = kind.model, query.get("fields", Fields()), filters
        self.filters = {name: value for name, value in query.items() if name in filters}
        for name, value in self.filters.items():
            if in_zone := filters[name].in_zone:
                self.filters[name] = in_zone(value, zone)

    def page(self, keyset: Keyset, position: list[Any] | None, limit: int) -> list[tuple[str, ...]]:
        if any(self.all_filters[name].plan_each_time for name in self.filters):
            rows = _narrow(self.rows_for(self.kind, self.owner), self.trashed)
            rows = apply_filters(rows, self.all_filters, self.filters, at=self.moment)
            return fetch(keyset.ranges(_as_json(self.kind, rows, keyset, self.fields), position, limit))
        values = {name: value for name, value in self.filters.items() if self.all_filters[name].value}
        compiled = _page(
            self.kind,
            self.rows_for,
            self.trashed,
            tuple((name, self.all_filters[name]) for name in self.filters),
            frozenset(self.filters.items() - values.items()),
            frozenset(values),
            keyset.ordering,
            None if position is None else tuple(value is not None for value in position),
            limit,
            self.fields,
        )
        now, today = self.moment.now, self.moment.today
        return compiled(owner=self.owner.pk, now=now, today=today, position=position, **values)


@lru_cache(maxsize=1000)
def _page(
    kind: Kind,
    rows_for: RowsFor,
    trashed: bool,
    filters: tuple[tuple[str, Filter], ...],
    constants: frozenset[tuple[str, Any]],
    values: frozenset[str],
    ordering: str,
    known: tuple[bool, ...] | None,
    limit: int,
    fields: Fields,
) -> CompiledQuery:
    """The query for one combination of filters. The values of SQL parameters are not part of it.

    `known` says which values of the position are not missing; None without a position.
    """
    keyset, by_name = Keyset(kind.model, ordering), dict(filters)

    def build(owner: Any, now: Any, today: Any, position: Any, **placeholders: Any) -> list[ObjectQuerySet]:
        rows = _narrow(rows_for(kind, owner), trashed)
        rows = apply_filters(rows, by_name, {**dict(constants), **placeholders}, at=Moment(now, today))
        after = known and [
            value if is_known else None for value, is_known in zip(position, known, strict=True)
        ]
        return keyset.ranges(_as_json(kind, rows, keyset, fields), after, limit)

    return CompiledQuery(
        build,
        owner=UUIDField(),
        now=DateTimeField(),
        today=DateField(),
        position=tuple(keyset.fields),
        **{name: by_name[name].value for name in values},
    )


def _as_json(kind: Kind, rows: ObjectQuerySet, keyset: Keyset, fields: Fields) -> Any:
    """The JSON text of each row, and its position if the text does not contain it."""
    columns = [kind.json(fields=fields)]
    if fields or not {*keyset.names} <= {*kind.json_fields}:
        columns.append(JSONText(*keyset.names))
    return rows.values_list(*columns)
