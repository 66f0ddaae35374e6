"""Reads of an owner's rows that may come from the replica, exactly as new as those from the primary."""

from collections.abc import Mapping
from typing import Any

from django.db import connections
from django.db.models import BigIntegerField, IntegerField, UUIDField, Value

from todo_project.db.compiled import CompiledQuery, Rows, UncompiledQuery
from todo_project.db.counting import query_timeout, rows_within
from todo_project.db.replica import REPLICA, replica

from .models import Clock

CURRENT_CLOCK = CompiledQuery(
    lambda owner, epoch, tick, prune_count: (
        Clock.objects.for_user(owner).at(epoch, tick, prune_count).on_standby().values_list(Value(1))
    ),
    owner=UUIDField(),
    epoch=BigIntegerField(),
    tick=BigIntegerField(),
    prune_count=IntegerField(),
)


def read(
    query: CompiledQuery | UncompiledQuery, values: Mapping[str, Any], *, owner: Any, may_use_replica: bool
) -> Rows:
    """The rows of a query for the owner.

    The replica answers if the owner's clock is there exactly where it was when the request was authenticated.
    Not if it is further: a commit can be visible there first, and the next read may go to the primary.
    """
    rows = _read_from_replica(query, values, owner) if may_use_replica and _has_replica(owner) else None
    return query(**values) if rows is None else rows


def read_within(
    seconds: float,
    query: CompiledQuery | UncompiledQuery,
    values: Mapping[str, Any],
    *,
    owner: Any,
    may_use_replica: bool,
    lock: str,
) -> Rows:
    """The same for a query that may be slow, with the timeout and the lock of query_timeout()."""
    if not (may_use_replica and _has_replica(owner)):
        return rows_within(seconds, query, values, lock=lock)
    with query_timeout(seconds, lock=lock):
        rows = _read_from_replica(query, values, owner, may_be_slow=True)
        return query(**values) if rows is None else rows


def _has_replica(owner: Any) -> bool:
    # An owner without an epoch has no clock, and so no objects.
    return REPLICA in connections.settings and bool(owner.epoch)


def _read_from_replica(
    query: CompiledQuery | UncompiledQuery,
    values: Mapping[str, Any],
    owner: Any,
    *,
    may_be_slow: bool = False,
) -> Rows | None:
    current = CURRENT_CLOCK.statement(
        owner=owner.pk, epoch=owner.epoch, tick=owner.tick, prune_count=owner.prune_count
    )
    return replica.read(query, values, current=current, may_be_slow=may_be_slow)
