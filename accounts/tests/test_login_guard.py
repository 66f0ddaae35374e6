"""Passwords cannot be tried without end, and nobody can be locked out for good."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import login_guard
from accounts.models import FailedLogin, User
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, sign_in
from tests.support.threads import run_together

HOME = "203.0.113.7"


@pytest.fixture(autouse=True)
def behind_a_proxy(settings):
    settings.TRUSTED_PROXY_COUNT = 1


def try_from(address, email="alice@example.com", password="wrong"):
    return sign_in(email, password, **{"X-Forwarded-For": address})


def fail(number, *, email="alice@example.com", address=HOME, ago=timedelta(0)):
    FailedLogin.objects.bulk_create(
        FailedLogin(email=email, address=address, at=timezone.now() - ago) for _ in range(number)
    )


def test_after_five_failures_the_right_password_waits_too(alice):
    assert [try_from(HOME).status_code for _ in range(6)] == [401] * 5 + [429]

    response = try_from(HOME, password=PASSWORD)
    assert_error(response, 429, "RATE_LIMITED")
    assert 890 <= int(response["Retry-After"]) <= 900


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_twenty_four_attempts_at_once_five_are_tried(alice):
    answers = run_together(24, lambda: try_from(HOME))

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 19


def test_a_blocked_attempt_costs_no_hash(alice, monkeypatch):
    fail(5)
    monkeypatch.setattr(User, "check_password", None)

    assert_error(try_from(HOME), 429, "RATE_LIMITED")


def test_a_blocked_attempt_does_not_prolong_the_block(alice):
    fail(5, ago=timedelta(minutes=14))
    try_from(HOME)
    FailedLogin.objects.update(at=timezone.now() - timedelta(minutes=15))

    assert try_from(HOME, password=PASSWORD).status_code == 200


def test_an_unknown_email_is_counted_alike(alice):
    assert [try_from(HOME, "nobody@example.com").status_code for _ in range(6)] == [401] * 5 + [429]


def test_the_owner_signs_in_from_elsewhere_meanwhile(alice):
    fail(5)

    assert try_from("198.51.100.1", password=PASSWORD).status_code == 200


def test_a_success_forgets_the_failures_from_there(alice):
    fail(4)
    try_from(HOME, password=PASSWORD)

    assert not FailedLogin.objects.exists()


def test_an_address_that_tries_many_accounts_is_stopped(alice):
    for number in range(50):
        fail(1, email=f"user{number}@example.com")

    assert_error(try_from(HOME, password=PASSWORD), 429, "RATE_LIMITED")
    assert try_from("198.51.100.1", password=PASSWORD).status_code == 200


def test_a_swarm_is_stopped_where_the_owner_never_was(alice):
    for number in range(100):
        fail(1, address=f"10.0.0.{number}")

    assert_error(try_from("198.51.100.1", password=PASSWORD), 429, "RATE_LIMITED")


def test_a_swarm_does_not_lock_the_owner_out_of_a_familiar_place(alice):
    try_from(HOME, password=PASSWORD)
    for number in range(100):
        fail(1, address=f"10.0.0.{number}")

    assert try_from(HOME, password=PASSWORD).status_code == 200


def test_what_a_client_claims_about_its_address_counts_for_nothing(alice):
    forged = [f"10.0.0.{number}, {HOME}" for number in range(6)]

    assert [try_from(address).status_code for address in forged] == [401] * 5 + [429]


def test_the_admins_login_counts_and_is_refused_too(alice):
    client = Client(headers={"X-Forwarded-For": HOME})
    for _ in range(5):
        client.post("/admin/login/", {"username": "alice@example.com", "password": "wrong"})

    page = client.post("/admin/login/", {"username": "alice@example.com", "password": PASSWORD})
    assert b"Too many failed sign-ins. Try again in 15 minutes." in page.content
    assert_error(try_from(HOME, password=PASSWORD), 429, "RATE_LIMITED")


def test_the_count_asks_one_question(alice, django_assert_num_queries):
    fail(3)

    with django_assert_num_queries(1):
        login_guard.check_attempts("alice@example.com", HOME, at=timezone.now())
