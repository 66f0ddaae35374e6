"""Rate limits: a number of requests per window of time, for each user or else each address."""

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
    """The state of a rate limit, for the RateLimit headers."""

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
    """The limit on every API view. Counted in the cache, so all workers share it if the cache is shared."""

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
    """The number of calls in the current window, and the seconds until it ends."""
    now = time.time()
    window, reset = int(now // period), math.ceil(period - now % period)
    key = f"rate:{name}:{period}:{window}"
    try:
        # add() and incr() are atomic in Redis. A counter outlives its window a little.
        cache.add(key, 0, timeout=period + 60)
        return cache.incr(key), reset
    except (RedisError, ValueError):
        # ValueError: evicted between the two. Serving without a limit is better than not serving.
        logger.warning("The cache is unavailable; the request was not rate limited.", exc_info=True)
        return 0, reset
