"""A limited number of requests in each window, per user or else per address."""

import pytest
from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.redis import RedisCache

from tests.support.assertions import assert_error
from tests.support.caller import API
from todo_project.api.throttling import count_up

NOTES = f"{API}/notes"
NOON = 1_893_499_200.0


@pytest.fixture(autouse=True)
def limits(settings, monkeypatch):
    settings.RATE_LIMIT_USER = (3, 60)
    settings.RATE_LIMIT_ANONYMOUS = (2, 60)
    caches["default"].clear()
    clock = {"now": NOON}
    monkeypatch.setattr("todo_project.api.throttling.time.time", lambda: clock["now"])
    return clock


def rate_limit_headers(response):
    return tuple(int(response[f"RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))


def statuses(client, *requests):
    """The status of a GET of the notes for each of these keyword arguments of the client."""
    return [client.get(NOTES, **request).status_code for request in requests]


def test_headers_contain_the_limit_the_remaining_requests_and_the_seconds_to_the_reset(notes_alice, limits):
    limits["now"] = NOON + 18.5

    responses = [notes_alice("get", "/notes") for _ in range(3)]
    assert [rate_limit_headers(response) for response in responses] == [(3, 2, 42), (3, 1, 42), (3, 0, 42)]


def test_a_request_over_the_limit_is_429_until_the_next_window(notes_alice, limits):
    for _ in range(3):
        notes_alice("get", "/notes")
    response = notes_alice("get", "/notes")

    assert_error(response, 429, "RATE_LIMITED")
    assert response["Retry-After"] == "60"
    assert rate_limit_headers(response) == (3, 0, 60)

    limits["now"] = NOON + 60

    assert notes_alice("get", "/notes").status_code == 200


def test_the_count_is_kept_to_the_end_of_the_window(notes_alice, limits):
    for _ in range(3):
        notes_alice("get", "/notes")
    limits["now"] = NOON + 59

    assert_error(notes_alice("get", "/notes"), 429, "RATE_LIMITED")


def test_many_clients_do_not_displace_the_count_of_another(client, notes):
    assert statuses(client, {}, {}) == [401, 401]
    for number in range(50_000):
        count_up(f"client-{number}", period=60)

    assert statuses(client, {}) == [429]


def test_each_user_has_a_limit_of_their_own(notes_alice, notes_bob):
    for _ in range(4):
        notes_alice("get", "/notes")

    assert notes_bob("get", "/notes").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody@example.com"}])
def test_requests_without_valid_credentials_are_counted_by_address(client, notes, headers):
    assert statuses(client, *[{"headers": headers}] * 3) == [401, 401, 429]
    assert client.get(f"{API}/schema", REMOTE_ADDR="203.0.113.9").status_code == 200


def test_a_limit_that_is_off_sends_no_headers(notes_alice, settings):
    settings.RATE_LIMIT_USER = None
    response = notes_alice("get", "/notes")

    assert response.status_code == 200
    assert "RateLimit-Limit" not in response


@pytest.mark.parametrize("header", ["203.0.113.9", "203.0.113.9, 198.51.100.7", "x" * 4000])
def test_a_forwarded_address_is_ignored_without_a_trusted_proxy(client, notes, header):
    requests = [{"headers": {"X-Forwarded-For": f"{number}.0.0.1, {header}"}} for number in range(3)]

    assert statuses(client, *requests) == [401, 401, 429]


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("forged, 203.0.113.{}", [401, 401, 401]),
        ("10.0.0.{}, 203.0.113.9", [401, 401, 429]),
    ],
)
def test_behind_a_trusted_proxy_only_the_address_added_by_the_proxy_counts(
    client, notes, settings, forwarded, expected
):
    settings.TRUSTED_PROXY_COUNT = 1
    requests = [{"headers": {"X-Forwarded-For": forwarded.format(number)}} for number in range(3)]

    assert statuses(client, *requests) == expected


def test_clients_whose_address_cannot_be_read_do_not_share_a_limit(client, notes, settings):
    settings.TRUSTED_PROXY_COUNT = 1
    requests = [{"headers": {"X-Forwarded-For": "unknown"}}] * 3

    assert statuses(client, *requests) == [401, 401, 401]


def test_addresses_of_one_ipv6_network_share_a_limit(client, notes):
    requests = [{"REMOTE_ADDR": f"2001:db8:0:1::{number}"} for number in range(3)]

    assert statuses(client, *requests) == [401, 401, 429]


@pytest.mark.parametrize(
    "cache",
    [RedisCache("redis://127.0.0.1:1", {"OPTIONS": {"socket_connect_timeout": 1}}), DummyCache("", {})],
    ids=["unreachable", "loses values"],
)
def test_requests_are_not_limited_while_the_cache_does_not_work(notes_alice, monkeypatch, caplog, cache):
    monkeypatch.setattr("todo_project.api.throttling.cache", cache)

    assert notes_alice("get", "/notes").status_code == 200
    assert "not rate limited" in caplog.text
