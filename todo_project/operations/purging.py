"""What the command `purge` deletes. Each app registers its policies in its module `purge`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet

from todo_project.api.idempotency import RETENTION
from todo_project.config.registry import Registry
from todo_project.models import IdempotencyKey

BATCH_SIZE = 5_000


@dataclass(frozen=True)
class PurgePolicy:
    """One kind of data with a retention period."""

    name: str
    description: str
    days: int
    """The default retention period."""
    count: Callable[[datetime], int]
    """How many rows are older than a time."""
    purge: Callable[[datetime], Iterator[int]]
    """Deletes them and yields the number for each batch, which is a transaction of its own."""
    minimum_days: int = 0
    """Younger rows are still in use."""

    @property
    def option(self) -> str:
        return f"--{self.name.removesuffix('s')}-days"


policies: Registry[PurgePolicy] = Registry("purge policies")


def register(policy: PurgePolicy) -> PurgePolicy:
    return policies.register(policy.name, policy)


def purge_rows(
    name: str, description: str, older_than: Callable[[datetime], QuerySet[Any]], **options: Any
) -> PurgePolicy:
    """For rows that nothing else depends on. `older_than` sorts them by an index over all owners."""
    return PurgePolicy(
        name,
        description,
        count=lambda before: older_than(before).count(),
        purge=lambda before: delete_in_batches(older_than(before)),
        **options,
    )


def delete_in_batches(rows: QuerySet[Any]) -> Iterator[int]:
    """Skip locked rows: they are in use, or another purge is deleting them."""
    while True:
        with transaction.atomic():
            batch = rows.select_for_update(skip_locked=True).values("pk")[:BATCH_SIZE]
            deleted, _ = rows.model._default_manager.filter(pk__in=batch).delete()
        yield deleted
        if deleted < BATCH_SIZE:
            return


register(
    purge_rows(
        "keys",
        "idempotency keys and their stored responses",
        lambda before: IdempotencyKey.objects.filter(created_at__lt=before).order_by("created_at"),
        days=RETENTION.days,
        minimum_days=RETENTION.days,
    )
)
register(
    purge_rows(
        "browser-sessions",
        "expired admin sessions",
        lambda before: Session.objects.filter(expire_date__lt=before).order_by("expire_date"),
        days=0,
    )
)
