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
from todo_project.db import stored_responses
from todo_project.models import IdempotencyKey

BATCH_SIZE = 5_000


@dataclass(frozen=True)
class PurgePolicy:
    """One kind of data with a retention period."""

    description: str
    older_than: Callable[[datetime], QuerySet[Any]]
    """The rows older than a time, ordered by an index over all owners."""
    days: int
    """The default retention period."""
    minimum_days: int = 0
    """Younger rows are still in use."""
    delete: Callable[[datetime], Iterator[int]] | None = None
    """For rows that others depend on. Like delete_in_batches(), yields the number for each batch."""

    def purge(self, before: datetime) -> Iterator[int]:
        return self.delete(before) if self.delete else delete_in_batches(self.older_than(before))


policies: Registry[PurgePolicy] = Registry("purge policies")


def delete_in_batches(rows: QuerySet[Any]) -> Iterator[int]:
    """Each batch is a transaction. Skip locked rows: they are in use, or another purge is deleting them."""
    while True:
        with transaction.atomic():
            batch = rows.select_for_update(skip_locked=True).values("pk")[:BATCH_SIZE]
            deleted, _ = rows.model._default_manager.filter(pk__in=batch).delete()
        yield deleted
        if deleted < BATCH_SIZE:
            return


policies["keys"] = PurgePolicy(
    "idempotency keys and their stored responses",
    lambda before: IdempotencyKey.objects.filter(created_at__lt=before).order_by("created_at"),
    days=RETENTION.days,
    minimum_days=RETENTION.days,
    delete=stored_responses.expire_all,
)
policies["browser-sessions"] = PurgePolicy(
    "expired admin sessions",
    lambda before: Session.objects.filter(expire_date__lt=before).order_by("expire_date"),
    days=0,
)
