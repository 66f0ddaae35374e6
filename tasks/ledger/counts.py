"""The counts on the owners' clocks: reading them, comparing them with the rows, and repairing them."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from .kinds import Kind, kinds, owned
from .models import Clock

Counts = dict[str, dict[str, int]]
"""The number of objects by kind and state, without zeros."""

BATCH_SIZE = 100


def read_counts(kind: Kind, owner: Any, **others: QuerySet[Any]) -> dict[str, int]:
    """The number of an owner's objects in each state, and of the rows of other querysets, in one query."""
    subqueries = {
        f"n_{name}": Coalesce(
            Subquery(
                rows.filter(owner=OuterRef("pk"))
                .order_by()
                .values("owner")
                .annotate(number=Count("pk"))
                .values("number"),
                output_field=IntegerField(),
            ),
            0,
        )
        for name, rows in others.items()
    }
    clock = Clock.objects.for_user(owner).annotate(**subqueries).values("counts", *subqueries).first()
    if clock is None:
        return dict.fromkeys(others, 0)
    return {**clock["counts"].get(kind.name, {}), **{name: clock[f"n_{name}"] for name in others}}


def count_rows(owner: Any) -> Counts:
    """The same as on the clock, from the rows."""
    counts: Counts = defaultdict(dict)
    for kind in kinds.values():
        rows = owned(kind, owner).order_by().values_list(kind.model.state_expression())
        for state, number in rows.annotate(number=Count("pk")):
            counts[kind.name][state] = number
    return dict(counts)


def recount(*, repair: bool) -> Iterator[Any]:
    """Compare each owner's counts with the rows; yield the owner's id if they differ, else None."""
    clocks = Clock.objects.order_by("pk")
    owners = list(clocks.values_list("pk", flat=True)[:BATCH_SIZE])
    while owners:
        for owner_id in owners:
            yield owner_id if _recount_one(get_user_model()(pk=owner_id), repair=repair) else None
        owners = list(clocks.filter(pk__gt=owners[-1]).values_list("pk", flat=True)[:BATCH_SIZE])


@transaction.atomic
def _recount_one(owner: Any, *, repair: bool) -> bool:
    """Whether the counts differ. Locks the clock, so that the owner's writes wait."""
    clock = Clock.objects.lock(owner)
    counts = count_rows(owner)
    if clock.counts == counts:
        return False
    if repair:
        clock.counts = counts
        Clock.objects.store(clock)
    return True
