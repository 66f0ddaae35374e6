"""Rate limits: so many requests in each window of the clock, per user or else per address."""

import logging
import math
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from .addresses import client_address

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Allowance:
    """What is left to a caller, as the RateLimit headers tell it."""

    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


class RequestThrottle(BaseThrottle):
    """The limit on every API view. Counts in the cache, so all workers share it where the cache is shared."""

    def allow_request(self, request: Request, view: Any) -> bool:
        user = request.user
        if user.is_authenticated:
            scope, caller, rate = "user", str(user.pk), settings.RATE_LIMIT_USER
        else:
            scope, caller, rate = "anonymous", client_address(request._request), settings.RATE_LIMIT_ANONYMOUS
        if rate is None:
            return True
        count, self.reset = count_up(f"{scope}:{caller}", period=rate[1])
        view.allowance = Allowance(rate[0], max(0, rate[0] - count), self.reset)
        return count <= rate[0]

    def wait(self) -> float:
        return self.reset


def count_up(name: str, *, period: int) -> tuple[int, int]:
    """How often this name came in the current window, and how many seconds the window lasts."""
    now = time.time()
    window, reset = int(now // period), math.ceil(period - now % period)
    key = f"rate:{name}:{period}:{window}"
    try:
        # add() and incr() are atomic in Redis; a counter lives a little longer than its window.
        cache.add(key, 0, timeout=period + 60)
        return cache.incr(key), reset
    except (RedisError, ValueError):
        # ValueError: evicted between the two. Serving without a limit beats not serving.
        logger.warning("The rate limit's cache did not answer; the request was let through.", exc_info=True)
        return 0, reset
