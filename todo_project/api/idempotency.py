"""Idempotency-Key: a retried POST gets the response to the first request, stored in its transaction.

Only successes are stored. A failed request has changed nothing, so a retry runs again.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from todo_project.db.errors import Unavailable, diagnose, violates
from todo_project.models import IdempotencyKey

from .encoder import dumps
from .errors import ApiError, IdempotencyKeyReused, RequestInProgress, ValidationFailed
from .transactions import run_in_transaction

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotent-Replayed"
RETENTION = timedelta(hours=24)
WAIT_SECONDS = 5
ATTEMPTS = 3
STORED_HEADERS = ("ETag", "Location")


class _AlreadyUsed(Exception):
    """Another request has, or had, this key."""


def run_once(request: Request, handle: Callable[[], Response]) -> Response:
    """Run a write in one transaction; with a key only the first time, with the same response each time."""
    key = request.headers.get(HEADER)
    if key is None or request.method != "POST" or not request.user.is_authenticated:
        return run_in_transaction(handle)
    if not re.fullmatch(r"[ -~]{1,255}", key):
        raise ValidationFailed.of(
            HEADER, "invalid", "Idempotency-Key must have 1 to 255 printable ASCII characters."
        )
    fingerprint = fingerprint_of(request)
    for _ in range(ATTEMPTS):
        try:
            record = IdempotencyKey(owner_id=str(request.user.pk), key=key, fingerprint=fingerprint)
            return run_in_transaction(partial(_first_time, record, handle))
        except _AlreadyUsed:
            stored = IdempotencyKey.objects.filter(owner=request.user.pk, key=key).first()
        if stored is None:
            continue  # The other request has failed or was purged meanwhile, so the key is free.
        if stored.created_at < timezone.now() - RETENTION:
            stored.delete()
            continue
        return replay(stored, fingerprint)
    raise RequestInProgress


def _first_time(record: IdempotencyKey, handle: Callable[[], Response]) -> Response:
    _claim(record)
    try:
        response = handle()
    except ApiError as error:
        if error.commits_on_error:
            record.delete()  # What the failed request has written is committed, but its key is free.
        raise
    record.status = response.status_code
    record.headers = {name: response[name] for name in STORED_HEADERS if name in response}
    record.body = dumps(response.data).decode()
    record.save(update_fields=["status", "headers", "body"])
    return response


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


def fingerprint_of(request: Request) -> str:
    """Equal for a retry: a hash of the method, URL, If-Match and body."""
    head = f"{request.method} {request.get_full_path()}\n{request.headers.get('If-Match', '')}\n".encode()
    return hashlib.sha256(head + request._request.body).hexdigest()


def replay(stored: IdempotencyKey, fingerprint: str) -> Response:
    if stored.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    headers = {**stored.headers, REPLAYED_HEADER: "true"}
    # Bytes pass the renderer as they are, so the response equals the first one to the byte.
    return Response(stored.body.encode(), status=stored.status, headers=headers)
