"""The counts on the owners' clocks: reading them, comparing them with the rows, and repairing them."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import orjson
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    IntegerField,
    QuerySet,
    Subquery,
    TextField,
    Value,
)
from django.db.models.functions import Cast

from todo_project.db.querysets import key_batches
from todo_project.db.stored_responses import repair_usage, wrong_usages

from .kinds import Kind, kinds, owned
from .models import Clock

Counts = dict[str, dict[str, int]]
"""The number of objects by kind and state, without zeros."""

BATCH_SIZE = 100


def counts_and(owner: Any, **others: Any) -> QuerySet[Any, Any]:
    """The numbers of objects by kind and state, and other expressions; no row before the first write."""
    return Clock.objects.for_user(owner).annotate(**others).values_list("counts", *others)


class NumberOf(Subquery):
    """The number of the owner's rows, for counts_and(). An annotation would group them, in twice the time."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any, Any]) -> None:
        super().__init__(rows.order_by().values("owner"))


def count_rows(owner: Any) -> Counts:
    """The same as on the clock, from the rows."""
    counts: Counts = defaultdict(dict)
    for kind in kinds.values():
        for name, state, number in _count_by_state(kind, owner):
            counts[name][state] = number
    return dict(counts)


def recount(*, repair: bool) -> Iterator[Any]:
    """Compare each user's counts with the rows; yield the user's id if they differ, else None.

    Includes the totals of stored responses.
    """
    for batch in key_batches(get_user_model().objects.all(), BATCH_SIZE):
        wrong = wrong_usages(batch)
        for owner_id in batch:
            owner = get_user_model()(pk=owner_id)
            is_wrong = owner_id in wrong or _is_wrong(owner)
            if is_wrong and repair:
                _repair(owner)
                repair_usage(owner_id)
            yield owner_id if is_wrong else None


def _is_wrong(owner: Any) -> bool:
    """In one statement, which compares the clock with the rows of the same moment without a lock."""
    clock = Clock.objects.for_user(owner).values_list(
        Value("", CharField()), Cast("counts", TextField()), Value(0, BigIntegerField())
    )
    counts: Counts = defaultdict(dict)
    stored: Counts | None = None
    for name, state, number in clock.union(
        *(_count_by_state(kind, owner) for kind in kinds.values()), all=True
    ):
        if name:
            counts[name][state] = number
        else:
            stored = orjson.loads(state)
    return stored is not None and stored != counts


@transaction.atomic
def _repair(owner: Any) -> None:
    for clock in Clock.objects.lock_many([owner.pk]).values():  # None if the owner has just been deleted.
        clock.counts = count_rows(owner)
        Clock.objects.store(clock)


def _count_by_state(kind: Kind, owner: Any) -> Any:
    rows = owned(kind, owner).order_by()
    return rows.values_list(Value(kind.name, CharField()), kind.model.state_expression()).annotate(
        number=Count("pk")
    )
