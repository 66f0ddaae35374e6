"""Rate limits per user, or per address for anonymous requests, in fixed windows of time."""

import logging
import math
import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from todo_project.config.cache import cache_errors

from .addresses import client_address

logger = logging.getLogger(__name__)


class RequestThrottle(BaseThrottle):
    """Counts in the cache, so all workers share a limit if they share the cache.

    DRF's SimpleRateThrottle stores the time of each request and is not atomic.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        user = request.user
        if user.is_authenticated:
            caller, rate = str(user.pk), settings.RATE_LIMIT_USER
        else:
            caller, rate = client_address(request._request), settings.RATE_LIMIT_ANONYMOUS
        if rate is None or not caller:
            return True
        limit, period = rate
        count, self.reset = count_up(caller, period=period)
        view.headers |= {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(max(0, limit - count)),
            "RateLimit-Reset": str(self.reset),
        }
        return count <= limit

    def wait(self) -> float:
        return self.reset


def count_up(name: str, *, period: int) -> tuple[int, int]:
    """The number of calls in the current window, and the seconds until it ends."""
    now = time.time()
    window, reset = int(now // period), math.ceil(period - now % period)
    key = f"rate:{name}:{window}"
    try:
        # Both are atomic in Redis. The extra minute covers clocks that differ between servers.
        cache.add(key, 0, timeout=period + 60)
        return cache.incr(key), reset
    except cache_errors(ValueError):
        # ValueError: the key was evicted between the two. An unlimited request is better than a failed one.
        logger.warning("The cache is unavailable; the request was not rate limited.", exc_info=True)
        return 0, reset
