"""With a shared cache the rate limits hold for all workers together, on a real Redis and a real gunicorn."""

import urllib.request
from collections import Counter
from urllib.error import HTTPError

import pytest

from tests.support.processes import TIMEOUT
from tests.support.programs import require
from tests.support.servers.gunicorn import Gunicorn
from tests.support.servers.redis import Redis, find_redis

pytestmark = pytest.mark.own_servers


@pytest.fixture(scope="module")
def redis():
    require(find_redis(), "no Redis: install Debian's redis-server")
    with Redis() as server:
        yield server


def statuses(server, number):
    return Counter(status_of(f"{server.url}/api/v1/schema") for _ in range(number))


def status_of(url):
    """Each call makes a connection of its own, which any of the workers may take."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            return response.status
    except HTTPError as error:
        error.close()
        return error.code


def test_workers_count_together_and_without_redis_they_serve_without_a_limit(redis):
    limits = {"WEB_CONCURRENCY": "4", "RATE_LIMIT_ANONYMOUS": "5/day", "CACHE_URL": redis.url}
    with Gunicorn(DATABASE_URL="sqlite://:memory:", **limits) as server:
        assert statuses(server, 20) == {200: 5, 429: 15}

        redis.stop()

        assert statuses(server, 8) == {200: 8}
        assert "not rate limited" in server.log


def test_a_cache_per_process_counts_in_each(redis):
    with Gunicorn(
        DATABASE_URL="sqlite://:memory:", WEB_CONCURRENCY="1", RATE_LIMIT_ANONYMOUS="5/day"
    ) as server:
        assert statuses(server, 20) == {200: 5, 429: 15}
