"""No duplicate on retry: the answer is remembered in the transaction of its effect, under the caller's key.

Only a success is remembered. A refused request changed nothing, so its retry is tried anew.
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

from .errors import ApiError, IdempotencyKeyReused, RequestInProgress, ValidationFailed
from .renderers import dumps
from .transactions import all_or_nothing

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
REMEMBERED_FOR = timedelta(hours=24)
WAIT_SECONDS = 5
ATTEMPTS = 3
KEPT_HEADERS = ("ETag", "Location")


class _AlreadyUsed(Exception):
    """Another request has, or had, this key."""


def run_once(request: Request, handle: Callable[[], Response]) -> Response:
    """Run a write in one transaction; with a key, only the first time, and answer every time the same."""
    key = request.headers.get(HEADER)
    if key is None or request.method != "POST" or not request.user.is_authenticated:
        return all_or_nothing(handle)
    if not re.fullmatch(r"[ -~]{1,255}", key):
        raise ValidationFailed.of(
            HEADER, "invalid", "Idempotency-Key takes 1 to 255 printable ASCII characters."
        )
    fingerprint = fingerprint_of(request)
    for _ in range(ATTEMPTS):
        try:
            record = IdempotencyKey(owner_id=str(request.user.pk), key=key, fingerprint=fingerprint)
            return all_or_nothing(partial(_first_time, record, handle))
        except _AlreadyUsed:
            remembered = IdempotencyKey.objects.filter(owner=request.user.pk, key=key).first()
        if remembered is None:
            continue  # The other request failed or was purged in between: its place is free.
        if remembered.created_at < timezone.now() - REMEMBERED_FOR:
            remembered.delete()
            continue
        return replay(remembered, fingerprint)
    raise RequestInProgress


def _first_time(record: IdempotencyKey, handle: Callable[[], Response]) -> Response:
    _claim(record)
    try:
        response = handle()
    except ApiError as error:
        if error.commits_on_error:
            record.delete()  # The refusal's notes are kept, but its key is free.
        raise
    record.status = response.status_code
    record.headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    record.body = dumps(response.data).decode()
    record.save(update_fields=["status", "headers", "body"])
    return response


def _claim(record: IdempotencyKey) -> None:
    """Insert the key. The unique constraint makes a twin wait here until the first request has ended."""
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
    """What must be equal for a request to be a retry: method, URL, If-Match and body, byte by byte."""
    asked = f"{request.method} {request.get_full_path()}\n{request.headers.get('If-Match', '')}\n".encode()
    return hashlib.sha256(asked + request._request.body).hexdigest()


def replay(remembered: IdempotencyKey, fingerprint: str) -> Response:
    if remembered.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    headers = {**remembered.headers, REPLAYED: "true"}
    # Bytes pass the renderer as they are, so a retry's answer equals the first to the byte.
    return Response(remembered.body.encode(), status=remembered.status, headers=headers)
