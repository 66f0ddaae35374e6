"""So many requests in each window of the clock, per user or else per address."""

import pytest
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache

from tests.support.assertions import assert_error

NOTES = "/api/v1/notes"
NOON = 1_893_499_200.0


@pytest.fixture(autouse=True)
def limits(settings, monkeypatch):
    settings.RATE_LIMIT_USER = (3, 60)
    settings.RATE_LIMIT_ANONYMOUS = (2, 60)
    caches["default"].clear()
    clock = {"now": NOON}
    monkeypatch.setattr("todo_project.api.throttling.time.time", lambda: clock["now"])
    return clock


def left(response):
    return tuple(int(response[f"RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))


def test_an_answer_tells_what_is_left(as_alice, limits):
    limits["now"] = NOON + 18.5

    assert [left(as_alice.get(NOTES)) for _ in range(3)] == [(3, 2, 42), (3, 1, 42), (3, 0, 42)]


def test_the_request_after_the_last_waits_for_the_window(as_alice):
    for _ in range(3):
        as_alice.get(NOTES)
    response = as_alice.get(NOTES)

    assert_error(response, 429, "RATE_LIMITED")
    assert response["Retry-After"] == "60"
    assert left(response) == (3, 0, 60)


def test_the_next_window_begins_anew(as_alice, limits):
    for _ in range(4):
        as_alice.get(NOTES)
    limits["now"] = NOON + 60

    assert as_alice.get(NOTES).status_code == 200


def test_each_user_has_a_limit_of_their_own(as_alice, as_bob):
    for _ in range(4):
        as_alice.get(NOTES)

    assert as_bob.get(NOTES).status_code == 200


def test_callers_without_credentials_are_counted_by_address(client, notes):
    assert_error(client.get(NOTES), 401, "NOT_AUTHENTICATED")
    assert_error(client.get(NOTES), 401, "NOT_AUTHENTICATED")
    assert_error(client.get(NOTES), 429, "RATE_LIMITED")
    assert client.get("/api/v1/schema", REMOTE_ADDR="203.0.113.9").status_code == 200


def test_callers_with_wrong_credentials_are_counted_too(client, notes):
    headers = {"Authorization": "Bearer nobody@example.com"}
    statuses = [client.get(NOTES, headers=headers).status_code for _ in range(3)]

    assert statuses == [401, 401, 429]


def test_off_is_off(as_alice, settings):
    settings.RATE_LIMIT_USER = None
    response = as_alice.get(NOTES)

    assert response.status_code == 200
    assert "RateLimit-Limit" not in response


@pytest.mark.parametrize("header", ["203.0.113.9", "203.0.113.9, 198.51.100.7", "x" * 4000])
def test_a_forwarded_address_counts_for_nothing_without_a_named_proxy(client, notes, header):
    statuses = [
        client.get(NOTES, headers={"X-Forwarded-For": f"{number}.0.0.1, {header}"}).status_code
        for number in range(3)
    ]

    assert statuses == [401, 401, 429]


def test_behind_a_named_proxy_the_address_it_saw_counts(client, notes, settings):
    settings.TRUSTED_PROXY_COUNT = 1
    seen = [f"forged, 203.0.113.{number}" for number in range(3)]

    assert [client.get(NOTES, headers={"X-Forwarded-For": one}).status_code for one in seen] == [401] * 3


def test_what_the_client_wrote_before_the_proxys_entry_counts_for_nothing(client, notes, settings):
    settings.TRUSTED_PROXY_COUNT = 1
    seen = [f"10.0.0.{number}, 203.0.113.9" for number in range(3)]

    assert [client.get(NOTES, headers={"X-Forwarded-For": one}).status_code for one in seen] == [
        401,
        401,
        429,
    ]


def test_addresses_of_one_ipv6_network_are_one_caller(client, notes):
    seen = [f"2001:db8:0:1::{number}" for number in range(3)]

    assert [client.get(NOTES, REMOTE_ADDR=one).status_code for one in seen] == [401, 401, 429]


def test_a_cache_that_does_not_answer_lets_requests_through(as_alice, monkeypatch, caplog):
    dead = RedisCache("redis://127.0.0.1:1", {"OPTIONS": {"socket_connect_timeout": 1}})
    monkeypatch.setattr("todo_project.api.throttling.cache", dead)

    assert as_alice.get(NOTES).status_code == 200
    assert "not rate limited" in caplog.text
