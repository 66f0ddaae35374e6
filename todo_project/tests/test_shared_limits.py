"""All workers share the rate limits in a real Redis."""

import signal
import time
import urllib.request
from collections import Counter
from urllib.error import HTTPError

import pytest

from tests.support.processes import TIMEOUT
from tests.support.servers.gunicorn import Gunicorn
from tests.support.servers.redis import Redis

pytestmark = pytest.mark.own_servers


@pytest.fixture
def redis():
    with Redis() as server:
        yield server


def statuses(server, number):
    return Counter(status_of(f"{server.url}/api/v1/schema") for _ in range(number))


def status_of(url):
    """Make a request on a new connection, which any worker may accept."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            return response.status
    except HTTPError as error:
        error.close()
        return error.code


def test_workers_share_a_limit_in_redis_and_have_no_limit_without_it(redis):
    limits = {"WEB_CONCURRENCY": "4", "RATE_LIMIT_ANONYMOUS": "5/day", "CACHE_URL": redis.url}
    with Gunicorn(DATABASE_URL="sqlite://:memory:", **limits) as server:
        assert statuses(server, 20) == {200: 5, 429: 15}

        redis.stop()

        assert statuses(server, 8) == {200: 8}
        assert "not rate limited" in server.log


def test_a_redis_that_does_not_answer_delays_each_request_by_a_second(redis):
    limits = {"WEB_CONCURRENCY": "1", "RATE_LIMIT_ANONYMOUS": "5/day", "CACHE_URL": redis.url}
    with Gunicorn(DATABASE_URL="sqlite://:memory:", **limits) as server:
        assert statuses(server, 1) == {200: 1}
        redis.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        try:
            assert statuses(server, 2) == {200: 2}
            assert time.monotonic() - started < 10
        finally:
            redis.process.send_signal(signal.SIGCONT)


def test_each_process_has_its_own_limit_without_a_shared_cache():
    with Gunicorn(
        DATABASE_URL="sqlite://:memory:", WEB_CONCURRENCY="1", RATE_LIMIT_ANONYMOUS="5/day"
    ) as server:
        assert statuses(server, 20) == {200: 5, 429: 15}
