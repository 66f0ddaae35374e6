"""Reads of an owner's rows that may come from the replica, exactly as new as those from the primary."""

from collections.abc import Mapping
from typing import Any

from django.db import connections
from django.db.models import BigIntegerField, IntegerField, UUIDField, Value

from todo_project.db.compiled import CompiledQuery, Rows, UncompiledQuery
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
    query: CompiledQuery | UncompiledQuery,
    values: Mapping[str, Any],
    *,
    owner: Any,
    may_use_replica: bool,
    may_be_slow: bool = False,
) -> Rows:
    """The rows of a query for the owner.

    The replica answers if the owner's clock is there exactly where it was when the request was authenticated.
    Not if it is further: a commit can be visible there first, and the next read may go to the primary.
    """
    # An owner without an epoch has no clock, and so no objects.
    if may_use_replica and REPLICA in connections.settings and owner.epoch:
        current = CURRENT_CLOCK.statement(
            owner=owner.pk, epoch=owner.epoch, tick=owner.tick, prune_count=owner.prune_count
        )
        rows = replica.read(query, values, current=current, may_be_slow=may_be_slow)
        if rows is not None:
            return rows
    return query(**values)
