"""Reads of one object or a page of objects, by queries that are compiled to SQL once."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import DateField, DateTimeField, UUIDField
from django.utils.crypto import salted_hmac

from todo_project.api.conditional import etag
from todo_project.api.errors import RateLimited
from todo_project.api.filters import Context, Filter, apply_filters
from todo_project.db.compiled import CompiledQuery, UncompiledQuery
from todo_project.db.json_text import JSONText
from todo_project.db.keyset import Keyset, keyset_for
from todo_project.db.locks import LockNotAvailable

from .kinds import Kind, RowsFor, kinds
from .querysets import ObjectQuerySet
from .replica import read, read_within

Fields = frozenset[str]
ALL_FIELDS = Fields()


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


@dataclass(frozen=True)
class Selection:
    """The live or the trashed objects of a kind, and the fields of their JSON text."""

    kind: Kind
    rows_for: RowsFor
    trashed: bool = False
    fields: Fields = ALL_FIELDS

    def rows(self, owner: Any) -> ObjectQuerySet:
        rows = self.rows_for(self.kind, owner)
        return rows.trashed() if self.trashed else rows.live()

    def as_json(self, rows: ObjectQuerySet, keyset: Keyset) -> Any:
        """The JSON text of each row, and its position if the text does not contain it."""
        columns = [self.kind.json(fields=self.fields)]
        if self.fields or not {*keyset.names} <= {*self.kind.json_fields}:
            columns.append(JSONText(*keyset.names))
        return rows.values_list(*columns)


def read_one(
    selection: Selection, owner: Any, object_id: uuid.UUID, *, may_use_replica: bool
) -> tuple[int, str] | None:
    """The version of an object and its JSON text; None if it does not exist."""
    values = {"owner": owner.pk, "id": object_id}
    found: Any = read(_one(selection), values, owner=owner, may_use_replica=may_use_replica)
    return found[0] if found else None


@lru_cache(maxsize=1000)
def _one(selection: Selection) -> CompiledQuery:
    return CompiledQuery(
        lambda owner, id: selection.kind.versions_and_json(  # noqa: A006
            selection.rows(owner).filter(pk=id), fields=selection.fields
        ),
        owner=UUIDField(),
        id=UUIDField(),
    )


class ObjectPage:
    """A page of an owner's objects as JSON text, for KeysetPagination."""

    def __init__(
        self,
        selection: Selection,
        owner: Any,
        filters: Mapping[str, Filter],
        query: Mapping[str, Any],
        *,
        at: datetime,
        zone: ZoneInfo,
        may_use_replica: bool,
    ) -> None:
        self.selection, self.owner, self.model = selection, owner, selection.kind.model
        self.may_use_replica = may_use_replica
        self.context = Context.of(owner, at, zone)
        self.filters = {name: each for name, each in filters.items() if name in query}
        self.values = {
            name: each.in_zone(query[name], zone) if each.in_zone else query[name]
            for name, each in self.filters.items()
        }

    def page(self, keyset: Keyset, position: list[Any] | None, limit: int) -> list[tuple[str, ...]]:
        query, values = self._query(keyset, position, limit)
        source: Any = {"owner": self.owner, "may_use_replica": self.may_use_replica}
        timeouts = [each.timeout for each in self.filters.values() if each.timeout]
        if not timeouts:
            return read(query, values, **source)
        try:
            # One at a time, on all servers, which leaves processors to other users. Refusing a second one at
            # once would break a search box that sends a request for each letter.
            return read_within(min(timeouts), query, values, lock=f"search {self.owner.pk}", **source)
        except LockNotAvailable as error:
            raise RateLimited(retry_after=1) from error

    def _query(
        self, keyset: Keyset, position: list[Any] | None, limit: int
    ) -> tuple[CompiledQuery | UncompiledQuery, dict[str, Any]]:
        """With the values of its placeholders."""
        if any(each.plan_each_time and not each.value for each in self.filters.values()):
            rows = apply_filters(self.selection.rows(self.owner), self.filters, self.values, self.context)
            return UncompiledQuery(keyset.ranges(self.selection.as_json(rows, keyset), position, limit)), {}
        parameters = {
            name: value
            for name, value in self.values.items()
            if self.filters[name].value and value not in self.filters[name].constants
        }
        compiled = _page(
            self.selection,
            tuple(self.filters.items()),
            frozenset(self.values.items() - parameters.items()),
            keyset.ordering,
            None if position is None else tuple(value is not None for value in position),
            limit,
        )
        now, today = self.context.now, self.context.today
        return compiled, {
            "owner": self.owner.pk, "now": now, "today": today, "position": position, **parameters,
        }  # fmt: skip


@lru_cache(maxsize=1000)
def _page(
    selection: Selection,
    filters: tuple[tuple[str, Filter], ...],
    constants: frozenset[tuple[str, Any]],
    ordering: str,
    known: tuple[bool, ...] | None,
    limit: int,
) -> CompiledQuery:
    """The query for one combination of filters. The values of SQL parameters are not part of it.

    `known` says which values of the position are not missing; None without a position.
    """
    keyset, by_name = keyset_for(selection.kind.model, ordering), dict(filters)

    def build(owner: Any, now: Any, today: Any, position: Any, **placeholders: Any) -> list[ObjectQuerySet]:
        values = {**dict(constants), **placeholders}
        rows = apply_filters(selection.rows(owner), by_name, values, Context(owner, now, today))
        after = known and [
            value if is_known else None for value, is_known in zip(position, known, strict=True)
        ]
        return keyset.ranges(selection.as_json(rows, keyset), after, limit)

    return CompiledQuery(
        build,
        prepare=not any(each.plan_each_time for _, each in filters),
        owner=UUIDField(),
        now=DateTimeField(),
        today=DateField(),
        position=tuple(keyset.fields),
        **{name: each.value for name, each in filters if each.value and name not in dict(constants)},
    )
