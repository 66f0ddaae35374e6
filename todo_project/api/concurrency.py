"""Bounds the threads of this process that one user occupies, so that others are served, too."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from threading import Condition, Lock
from typing import Any

from django.conf import settings

from .errors import RateLimited

SHARE = 0.5
"""How much of one thread's time the requests of a user may take before they take turns."""

TURN_TIMEOUT = 1
"""Seconds that a request waits for its turn."""

MAX_CREDENTIALS = 10_000

_users: dict[int, int] = {}
"""The users by their credentials, both as numbers."""

_lock = Lock()
_running: Counter[Any] = Counter()

_turn_ended = Condition(_lock)
_in_turn: Counter[int] = Counter()
_turns_until: dict[int, float] = {}
"""Until when the requests of those users take turns who have used more than their share."""


def remember_sender(authorization: str, user: Any) -> None:
    """So that the requests that users send with several credentials count as those of one sender."""
    if len(_users) >= MAX_CREDENTIALS:
        _users.clear()  # Each is remembered again with its next request.
    _users[hash(authorization)] = user.pk.int


def find_sender(authorization: str) -> int:
    """The user, if a request with this header was accepted before, and otherwise a number for the header."""
    number = hash(authorization)
    return _users.get(number, number)


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


def has_used_share(sender: Any) -> bool:
    """Whether the requests of this user take turns. A server that asks need not occupy threads meanwhile."""
    return time.monotonic() < _turns_until.get(sender, 0)


class Turn:
    """While a request of a user is handled: one at a time here, if the user has used more than their share.

    Otherwise expensive requests of one user would occupy half of the threads, and as many processors of the
    database.
    """

    def __init__(self, user: Any) -> None:
        self.key = user.pk.int

    def __enter__(self) -> None:
        with _lock:
            if time.monotonic() < _turns_until.get(self.key, 0) and not _turn_ended.wait_for(
                lambda: self.key not in _in_turn, TURN_TIMEOUT
            ):
                raise RateLimited(retry_after=1)
            _in_turn[self.key] += 1
        self.started = time.monotonic()

    def __exit__(self, *error: Any) -> None:
        now, key = time.monotonic(), self.key
        with _lock:
            _in_turn[key] -= 1
            if not _in_turn[key]:
                del _in_turn[key]
            if until := _turns_until.pop(key, 0):
                _turn_ended.notify_all()
            until = max(until, now - settings.SECONDS_BEFORE_TURNS / SHARE) + (now - self.started) / SHARE
            # Otherwise forgotten. Requests one after the other take no more than one thread anyway.
            if until > now or key in _in_turn:
                _turns_until[key] = until
