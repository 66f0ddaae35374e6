"""Bounds the threads of this process that one user occupies, so that others are served, too."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

from django.conf import settings

from .errors import RateLimited

_running: Counter[Any] = Counter()
_lock = Lock()


def occupy_thread(user: Any, *, task: str = "", limit: int | None = None) -> Callable[[], None]:
    """Count a request of a user until the returned function is called.

    A task that takes long may have a limit of its own.
    """
    key = (user.pk.int, task)
    with _lock:
        if _running[key] >= (limit or settings.MAX_THREADS_PER_USER):
            raise RateLimited(retry_after=1)
        _running[key] += 1
    return partial(_release, key)


def _release(key: tuple[int, str]) -> None:
    with _lock:
        _running[key] -= 1
        if not _running[key]:
            del _running[key]
