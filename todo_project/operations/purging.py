"""What is deleted for good once it is old enough. Each room gives its kinds to settings.PURGED."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet

from todo_project.api.idempotency import REMEMBERED_FOR
from todo_project.models import IdempotencyKey

AT_ONCE = 5_000


@dataclass(frozen=True)
class Kind:
    """One kind of what can be purged: all of it that is older than a time."""

    name: str
    what: str
    days: int
    """So many it is kept, unless told otherwise."""
    count: Callable[[datetime], int]
    purge: Callable[[datetime], Iterator[int]]
    """Gives back, batch by batch, how many are gone; each batch is a transaction of its own."""
    fewest: int = 0
    """It is in use for so many days: a shorter time is refused."""

    @property
    def option(self) -> str:
        return f"--{self.name.removesuffix('s')}-days"


def rows(name: str, what: str, old: Callable[[datetime], QuerySet[Any]], **settings: Any) -> Kind:
    """A kind of which nothing else has to hear; `old` sorts it as an index of all owners' rows does."""
    return Kind(
        name,
        what,
        count=lambda before: old(before).count(),
        purge=lambda before: in_batches(old(before)),
        **settings,
    )


def in_batches(old: QuerySet[Any]) -> Iterator[int]:
    """Delete these rows, without waiting: what another one holds is in use, or is being deleted already."""
    while True:
        with transaction.atomic():
            some = old.select_for_update(skip_locked=True).values("pk")[:AT_ONCE]
            deleted, _ = old.model._default_manager.filter(pk__in=some).delete()
        yield deleted
        if deleted < AT_ONCE:
            return


KEYS = rows(
    "keys",
    "idempotency keys and the answers that are kept for them",
    lambda before: IdempotencyKey.objects.filter(created_at__lt=before).order_by("created_at"),
    days=REMEMBERED_FOR.days,
    fewest=REMEMBERED_FOR.days,
)
BROWSER_SESSIONS = rows(
    "browser-sessions",
    "sign-ins to the admin that have expired",
    lambda before: Session.objects.filter(expire_date__lt=before).order_by("expire_date"),
    days=0,
)
