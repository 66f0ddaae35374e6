"""The sync feed: an owner's changes in the order of their versions."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import orjson
from django.db import connection
from django.db.models import BigIntegerField, UUIDField, Value
from django.db.models.functions import Cast

from todo_project.api.errors import ResyncRequired
from todo_project.db.compiled import CompiledQuery
from todo_project.db.json_text import JSONText, json_array

from .kinds import Kind, RowsFor, kinds, tombstone_json
from .models import Clock, Tombstone
from .replica import read


@dataclass(frozen=True)
class Position:
    """A position in the feed of one owner; clients store its text. "0" is the start."""

    epoch: int = 0
    version: int = 0
    """The last version that the client has seen."""

    prune_count: int | None = None
    """Set during an initial sync before the pruned version: it misses the tombstones pruned meanwhile."""

    FORMAT = re.compile(r"([0-9a-f]{1,8})-([0-9]{1,18})(?:-([0-9]{1,9}))?", re.ASCII)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        if text == "0":
            return cls()
        if not (found := cls.FORMAT.fullmatch(text)):
            return None
        epoch, version, prune_count = found.groups()
        return cls(int(epoch, 16), int(version), None if prune_count is None else int(prune_count))

    def __str__(self) -> str:
        if not self.epoch:
            return "0"
        prune_count = "" if self.prune_count is None else f"-{self.prune_count}"
        return f"{self.epoch:x}-{self.version}{prune_count}"

    def is_complete(self, clock: Clock) -> bool:
        """Whether the feed still has every change that a client at this position has not seen."""
        if self == Position():
            return True
        if self.epoch != clock.epoch or self.version > clock.tick:
            return False
        if self.prune_count is not None:
            return self.prune_count == clock.prune_count
        return self.version >= clock.pruned_version


START = Position()


def changes(
    owner: Any,
    rows_for: RowsFor,
    *,
    since: Position = START,
    limit: int,
    fields: frozenset[str] = frozenset(),
    may_use_replica: bool,
) -> dict[str, Any]:
    """Up to `limit` changes after `since`, and the next `since`."""
    if since == Position(owner.epoch, owner.tick):
        return {"changes": [], "since": str(since), "has_more": False}
    clock, rows = _read(owner, rows_for, since.version, limit + 1, fields, may_use_replica=may_use_replica)
    if not since.is_complete(clock):
        raise ResyncRequired
    has_more = len(rows) > limit
    last = rows[limit - 1][0] if has_more else clock.tick
    is_initial = last < clock.pruned_version
    return {
        "changes": json_array([text for _, text in rows[:limit]]),
        "since": str(Position(clock.epoch, last, clock.prune_count if is_initial else None)),
        "has_more": has_more,
    }


def _read(
    owner: Any, rows_for: RowsFor, version: int, limit: int, fields: frozenset[str], *, may_use_replica: bool
) -> tuple[Clock, list[tuple[int, str]]]:
    """The clock and the changes in one statement, so that both are of the same snapshot."""
    query = _query(tuple(kinds.values()), rows_for, limit, fields, connection.vendor)
    values = {"owner": owner.pk, "version": version}
    found = read(query, values, owner=owner, may_use_replica=may_use_replica)
    if not found:
        return Clock(epoch=0), []
    return Clock(**orjson.loads(found[0][1])), [(number, text) for number, text in found[1:]]


@lru_cache(maxsize=1000)
def _query(
    selected: tuple[Kind, ...], rows_for: RowsFor, limit: int, fields: frozenset[str], vendor: str
) -> CompiledQuery:
    def build(owner: Any, version: Any) -> Any:
        # Of the type of the versions, so that PostgreSQL merges the parts instead of sorting all of them.
        first = Cast(Value(-1), BigIntegerField())
        clock = Clock.objects.for_user(owner).annotate(version=first)
        parts: list[Any] = [
            kind.versions_and_json(rows_for(kind, owner).since(version), fields=fields, with_kind=True)
            for kind in selected
        ]
        parts.append(tombstone_json(Tombstone.objects.for_user(owner).since(version)))
        if connection.features.supports_slicing_ordering_in_compound:
            # Otherwise PostgreSQL would convert all changes to JSON and sort them before the limit.
            parts = [each.order_by("version")[:limit] for each in parts]
        columns = JSONText("epoch", "tick", "pruned_version", "prune_count")
        rows = clock.values_list("version", columns).union(*parts, all=True)
        return rows.order_by("version")[: limit + 1]

    return CompiledQuery(build, owner=UUIDField(), version=BigIntegerField())
