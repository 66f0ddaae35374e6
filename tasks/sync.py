"""The feed of one owner's changes, in the order of versions, for clients that keep a copy."""

from typing import Any

import orjson
from django.db import connection
from django.db.models import BigIntegerField, QuerySet, Value

from todo_project.api.errors import ResyncRequired

from .models import Clock, Task, Tombstone
from .representation import JSONText, json_fragments

PRUNE_MODULUS = 1 << 16
"""More forgettings than can happen while somebody reads for the first time."""


def changes(owner: Any, *, since: int, limit: int) -> dict[str, Any]:
    """Up to `limit` changes after `since`, and the `since` to ask with next."""
    if since == getattr(owner, "tick", None):
        return {"changes": [], "since": since, "has_more": False}
    position = since if since >= 0 else -since // PRUNE_MODULUS
    clock, rows = _read(owner, position, limit + 1)
    if not _is_remembered(since, position, clock):
        raise ResyncRequired
    has_more = len(rows) > limit
    last = rows[limit - 1][0] if has_more else clock.tick
    return {
        "changes": json_fragments(text for _, text in rows[:limit]),
        "since": _next_since(last, clock),
        "has_more": has_more,
    }


def _read(owner: Any, position: int, limit: int) -> tuple[Clock, list[tuple[int, str]]]:
    """All in one statement, which sees one moment: no write can slip between the clock and the changes."""
    clock = Clock.objects.filter(pk=owner.pk).annotate(version=Value(-1, BigIntegerField()))
    changes: list[QuerySet[Any, tuple[int, str]]] = [
        model.objects.for_user(owner).since(position).versions_and_json() for model in (Task, Tombstone)
    ]
    if connection.features.supports_slicing_ordering_in_compound:
        # Else PostgreSQL would write all of the changes as JSON and sort them, to tell the first few.
        changes = [each.order_by("version")[:limit] for each in changes]
    rows = clock.values_list("version", JSONText("tick", "forgotten", "forgettings")).union(
        *changes, all=True
    )
    found = list(rows.order_by("version")[: limit + 1])
    if not found:
        return Clock(), []
    return Clock(**orjson.loads(found[0][1])), found[1:]


def _is_remembered(since: int, position: int, clock: Clock) -> bool:
    """Whether nothing that a client at `since` must hear of was forgotten."""
    if position > clock.tick:
        return False  # From a future that a restored backup does not know.
    if since < 0:
        return position > 0 and -since % PRUNE_MODULUS == clock.forgettings % PRUNE_MODULUS
    return since == 0 or since >= clock.forgotten


def _next_since(last: int, clock: Clock) -> int:
    """The last version told; but negative in a first reading that has not yet passed what was forgotten.

    Such a reader holds nothing that could be forgotten, unless that happens in the meantime. So the number
    carries, besides the position, how often it has happened until now.
    """
    return last if last >= clock.forgotten else -(last * PRUNE_MODULUS + clock.forgettings % PRUNE_MODULUS)
