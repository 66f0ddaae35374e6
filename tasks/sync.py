"""The sync feed: an owner's changes in the order of their versions."""

from typing import Any

import orjson
from django.db import connection
from django.db.models import BigIntegerField, QuerySet, Value

from todo_project.api.errors import ResyncRequired
from todo_project.db.json_text import JSONText, json_fragments

from .models import Clock, Tombstone
from .operations import RowsFor

PRUNE_MODULUS = 1 << 16
"""An upper bound on the prunings during one initial sync."""


def changes(owner: Any, rows_for: RowsFor, *, since: int, limit: int) -> dict[str, Any]:
    """Up to `limit` changes after `since`, and the next `since`."""
    if since == owner.tick:
        return {"changes": [], "since": since, "has_more": False}
    position = since if since >= 0 else -since // PRUNE_MODULUS
    clock, rows = _read(owner, rows_for, position, limit + 1)
    if not _is_complete(since, position, clock):
        raise ResyncRequired
    has_more = len(rows) > limit
    last = rows[limit - 1][0] if has_more else clock.tick
    return {
        "changes": json_fragments(text for _, text in rows[:limit]),
        "since": _next_since(last, clock),
        "has_more": has_more,
    }


def _read(owner: Any, rows_for: RowsFor, position: int, limit: int) -> tuple[Clock, list[tuple[int, str]]]:
    """The clock and the changes in one statement, so that both are of the same snapshot."""
    clock = Clock.objects.for_user(owner).annotate(version=Value(-1, BigIntegerField()))
    changes: list[QuerySet[Any, tuple[int, str]]] = [
        rows.since(position).versions_and_json()
        for rows in (rows_for(owner), Tombstone.objects.for_user(owner))
    ]
    if connection.features.supports_slicing_ordering_in_compound:
        # Otherwise PostgreSQL would convert all changes to JSON and sort them before the limit.
        changes = [each.order_by("version")[:limit] for each in changes]
    fields = JSONText("tick", "pruned_version", "prune_count")
    rows = clock.values_list("version", fields).union(*changes, all=True)
    found = list(rows.order_by("version")[: limit + 1])
    if not found:
        return Clock(), []
    return Clock(**orjson.loads(found[0][1])), found[1:]


def _is_complete(since: int, position: int, clock: Clock) -> bool:
    """Whether the feed still has every change that a client at `since` has not seen."""
    if position > clock.tick:
        return False  # `since` is newer than the restored backup.
    if since < 0:
        return position > 0 and -since % PRUNE_MODULUS == clock.prune_count % PRUNE_MODULUS
    return since == 0 or since >= clock.pruned_version


def _next_since(last: int, clock: Clock) -> int:
    """The last version, or a negative number during an initial sync before the pruned version.

    Such a client misses only tombstones that are pruned during its sync. To detect that, the negative number
    contains the prune count besides the version.
    """
    if last >= clock.pruned_version:
        return last
    return -(last * PRUNE_MODULUS + clock.prune_count % PRUNE_MODULUS)
