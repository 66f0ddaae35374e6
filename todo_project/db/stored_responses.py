"""The responses that are stored for retries: what each owner may store, and how they are forgotten.

To change an owner's stored responses lock their IdempotencyUsage first, and the owner's clock before it.
"""

import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import Coalesce

from todo_project.models import IdempotencyKey, IdempotencyUsage

from .compiled import execute_all, update_many, update_statement
from .json_text import without_content
from .querysets import owners_with_rows

BATCH_SIZE = 5_000
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def store(record: IdempotencyKey, *, expired_before: datetime) -> str | None:
    """Write and count a response. Return the name of a quota that it exceeds; the caller then rolls back."""
    columns = ("status", "headers", "body", "size", "is_reduced")
    response = update_statement(
        IdempotencyKey.objects.filter(owner=record.owner_id, pk=record.pk),
        **{name: getattr(record, name) for name in columns},
    )
    usage = IdempotencyUsage.objects.filter(pk=record.owner_id)
    few_keys = usage.filter(keys__lt=settings.QUOTA_IDEMPOTENCY_KEYS)
    within = few_keys.filter(size__lte=settings.QUOTA_STORED_RESPONSES - record.size)
    changes = {"keys": F("keys") + 1, "size": F("size") + record.size}
    if execute_all(response, update_statement(within, **changes)):
        return None
    IdempotencyUsage.objects.bulk_create([IdempotencyUsage(owner_id=record.owner_id)], ignore_conflicts=True)
    expire(record.owner_id, before=expired_before)
    if within.update(**changes):
        return None
    return "stored_responses" if few_keys.exists() else "idempotency_keys"


def expire(owner_id: uuid.UUID, *, before: datetime) -> int:
    """Delete an owner's older responses, and return their number. Requires a transaction."""
    _lock([owner_id])
    expired = IdempotencyKey.objects.filter(owner=owner_id, created_at__lt=before)
    keys, size = _totals(expired)
    if keys:
        expired.delete()
        _subtract(owner_id, keys=keys, size=size)
    return keys


def expire_all(before: datetime) -> Iterator[int]:
    """Owner by owner; yield the number of each."""
    expired = IdempotencyKey.objects.filter(created_at__lt=before).order_by("created_at")
    for owner_id in owners_with_rows(expired, BATCH_SIZE):
        with transaction.atomic():
            number = expire(owner_id, before=before)
        yield number


def forget_objects(owner_ids: Collection[uuid.UUID], object_ids: Iterable[uuid.UUID]) -> None:
    """Remove the content of purged objects. Their owners' clocks are locked.

    The bodies are searched, because a purge is rare and their size is bounded; an index of the objects in
    them would be one more row for each object of each response.
    """
    stored = IdempotencyKey.objects.filter(owner__in=owner_ids, is_reduced=False)
    if not stored.exists():
        return
    ids = {str(object_id) for object_id in object_ids}
    if len(ids) == 1:
        stored = stored.filter(body__contains=next(iter(ids)))
    bodies = stored.values_list("pk", "body").iterator()
    mentioning = [key for key, body in bodies if not ids.isdisjoint(ID.findall(body))]
    if not mentioning:
        return
    _lock(owner_ids)
    records = list(IdempotencyKey.objects.filter(owner__in=owner_ids, pk__in=mentioning))
    saved: Counter[uuid.UUID] = Counter()
    for record in records:
        saved[record.owner_id] += record.size
        reduce(record)
        saved[record.owner_id] -= record.size
    update_many(records, ["body", "size", "is_reduced"], key=["owner", "id"])
    for owner_id, size in saved.items():
        _subtract(owner_id, size=size)


def reduce(record: IdempotencyKey) -> None:
    """Keep only the ids and versions of the objects in a response."""
    body = orjson.dumps(without_content(orjson.loads(record.body)))
    record.body, record.size, record.is_reduced = body.decode(), len(body), True


def wrong_usages(owner_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """The owners whose totals differ from their stored responses, by one statement without locks."""
    counted = IdempotencyUsage.objects.filter(pk__in=owner_ids).values_list("owner", "keys", "size")
    by_owner = IdempotencyKey.objects.filter(owner__in=owner_ids).order_by().values("owner")
    stored = by_owner.values_list("owner", -Count("pk"), -Sum("size"))
    differences: dict[uuid.UUID, list[int]] = defaultdict(lambda: [0, 0])
    for owner_id, keys, size in counted.union(stored, all=True):
        differences[owner_id][0] += keys
        differences[owner_id][1] += size
    return {owner_id for owner_id, difference in differences.items() if any(difference)}


@transaction.atomic
def repair_usage(owner_id: uuid.UUID) -> None:
    _lock([owner_id])
    keys, size = _totals(IdempotencyKey.objects.filter(owner=owner_id))
    usage = IdempotencyUsage.objects.filter(pk=owner_id)
    if not usage.update(keys=keys, size=size) and keys:  # The owner may have just been deleted.
        usage.create(pk=owner_id, keys=keys, size=size)


def _totals(stored: QuerySet[IdempotencyKey]) -> tuple[int, int]:
    totals = stored.aggregate(keys=Count("pk"), bytes=Coalesce(Sum("size"), 0))
    return totals["keys"], totals["bytes"]


def _lock(owner_ids: Collection[uuid.UUID]) -> None:
    """In the order of their ids, so that two calls cannot deadlock."""
    list(IdempotencyUsage.objects.select_for_update(no_key=True).filter(pk__in=owner_ids).order_by("pk"))


def _subtract(owner_id: uuid.UUID, *, keys: int = 0, size: int) -> None:
    usage = IdempotencyUsage.objects.filter(pk=owner_id)
    usage.update(keys=F("keys") - keys, size=F("size") - size)
