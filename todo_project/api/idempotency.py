"""Idempotency-Key: the response to a POST is stored in its transaction and sent again for a retry.

Only successful responses are stored. A failed request has changed nothing, so a retry runs it again. Of a
large response, and of objects that have been purged since, only the IDs and versions are stored.
"""

import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.response import Response

from todo_project.db import stored_responses
from todo_project.db.errors import Unavailable, diagnose, violates
from todo_project.models import IdempotencyKey

from .encoder import dumps
from .errors import ApiError, IdempotencyKeyReused, QuotaExceeded, RequestInProgress, ValidationFailed
from .transactions import run_in_transaction

HEADER = "Idempotency-Key"
FORMAT = r"[ -~]{1,255}"
RETENTION = timedelta(hours=24)
WAIT_SECONDS = 5
ATTEMPTS = 3
MAX_STORED_SIZE = 64 * 1024
"""Bytes."""
STORED_HEADERS = ("ETag", "Location")

QUOTAS = {
    "idempotency_keys": "A user can have at most {limit} Idempotency-Keys. Each is kept for 24 hours.",
    "stored_responses": "The responses stored for a user's Idempotency-Keys can have at most {limit} bytes. "
    "Each is kept for 24 hours.",
}


class _AlreadyUsed(Exception):
    """Another request has used this key."""


def read_key(request: Request) -> str | None:
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not re.fullmatch(FORMAT, key):
        raise ValidationFailed.of(
            HEADER, "invalid", "Idempotency-Key must have 1 to 255 printable ASCII characters."
        )
    return key


def run_once(
    request: Request,
    handle: Callable[[], Response],
    *,
    key: str,
    owner: uuid.UUID,
    restore_content: Callable[[Any], Any],
) -> Response:
    """Run a write in one transaction, or return the stored response if the owner has used its key before."""
    fingerprint, *rotated = _fingerprints(request)
    for _ in range(ATTEMPTS):
        try:
            record = IdempotencyKey(owner_id=str(owner), key=key, fingerprint=fingerprint)
            return run_in_transaction(partial(_run_and_store, record, handle))
        except _AlreadyUsed:
            stored = IdempotencyKey.objects.filter(owner=owner, key=key).first()
        if stored is None:
            continue  # The other request failed or its response was purged, so the key is free.
        if stored.created_at < expired_before():
            with transaction.atomic():
                stored_responses.expire(owner, before=expired_before())
            continue
        if stored.fingerprint not in (fingerprint, *rotated):
            raise IdempotencyKeyReused
        # The renderer passes bytes through, so this response is identical to the first one.
        body = restore_content(orjson.loads(stored.body)) if stored.is_reduced else stored.body.encode()
        headers = {**stored.headers, "Idempotent-Replayed": "true"}
        return Response(body, status=stored.status, headers=headers)
    raise RequestInProgress


def _run_and_store(record: IdempotencyKey, handle: Callable[[], Response]) -> Response:
    _claim(record)
    try:
        response = handle()
    except ApiError as error:
        if error.commits_on_error:
            # The key must not be committed with the failed request's other changes.
            IdempotencyKey.objects.filter(owner=record.owner_id, pk=record.pk).delete()
        raise
    record.status = response.status_code
    record.headers = {name: response[name] for name in STORED_HEADERS if name in response}
    body = dumps(response.data)
    record.body, record.size = body.decode(), len(body)
    if record.size > MAX_STORED_SIZE:
        stored_responses.reduce(record)
    # Last, because other writers of the owner then wait for the end of this transaction.
    if quota := stored_responses.store(record, expired_before=expired_before()):
        raise QuotaExceeded.of(quota, QUOTAS[quota])
    return response


def expired_before() -> datetime:
    return timezone.now() - RETENTION


def _claim(record: IdempotencyKey) -> None:
    """Insert the key. The unique constraint makes a concurrent request wait until the first has ended."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
    try:
        record.save(force_insert=True)
    except IntegrityError as error:
        if violates(error, "idempotency_key_once_per_owner"):
            raise _AlreadyUsed from error
        raise
    except OperationalError as error:
        if diagnose(error) == Unavailable(contention=True):
            raise RequestInProgress from error
        raise


def _fingerprints(request: Request) -> list[str]:
    """HMACs of the parts of a request that a retry repeats: method, URL, If-Match and body.

    A plain hash would let a reader of the database guess a password in the body. The first HMAC is by the
    current secret key; a rotated key may have made the stored one.
    """
    head = f"{request.method} {request.get_full_path()}\n{request.headers.get('If-Match', '')}\n".encode()
    sign = partial(salted_hmac, "api.idempotency", head + request._request.body, algorithm="sha256")
    return [
        sign(secret=secret).hexdigest() for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]
