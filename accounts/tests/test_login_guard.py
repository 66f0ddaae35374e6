"""Password guessing is limited, and nobody can lock out a user permanently."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import login_guard
from accounts.models import FailedLogin, User
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, sign_in
from tests.support.client import Client
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


@pytest.mark.parametrize(
    ("email", "forged"),
    [("alice@example.com", ""), ("alice@example.com", "10.0.0.{}, "), ("nobody@example.com", "")],
    ids=["known email", "forged address", "unknown email"],
)
def test_after_five_failures_from_an_address_the_correct_password_is_refused_too(alice, email, forged):
    addresses = [forged.format(number) + HOME for number in range(6)]
    assert [try_from(address, email).status_code for address in addresses] == [401] * 5 + [429]

    response = try_from(HOME, email, PASSWORD)
    assert_error(response, 429, "RATE_LIMITED")
    assert 890 <= int(response["Retry-After"]) <= 900


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_24_parallel_attempts_five_are_checked(alice):
    answers = run_together(24, lambda: try_from(HOME))

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 19


def test_a_blocked_attempt_costs_no_hash(alice, monkeypatch):
    fail(5)
    monkeypatch.setattr(User, "check_password", None)

    assert_error(try_from(HOME), 429, "RATE_LIMITED")


def test_a_blocked_attempt_does_not_extend_the_block(alice):
    fail(5, ago=timedelta(minutes=14))
    try_from(HOME)
    FailedLogin.objects.update(at=timezone.now() - timedelta(minutes=15))

    assert try_from(HOME, password=PASSWORD).status_code == 200


def test_the_user_can_sign_in_from_another_address_during_a_block(alice):
    fail(5)

    assert try_from("198.51.100.1", password=PASSWORD).status_code == 200


def test_a_success_clears_the_failures_from_the_same_address(alice):
    fail(4)
    try_from(HOME, password=PASSWORD)

    assert not FailedLogin.objects.exists()


def test_an_address_that_tries_many_accounts_is_blocked(alice):
    for number in range(50):
        fail(1, email=f"user{number}@example.com")

    assert_error(try_from(HOME, password=PASSWORD), 429, "RATE_LIMITED")
    assert try_from("198.51.100.1", password=PASSWORD).status_code == 200


@pytest.mark.parametrize(("address", "status"), [("198.51.100.1", 429), (HOME, 200)])
def test_failures_from_many_addresses_block_unfamiliar_addresses_only(alice, address, status):
    try_from(HOME, password=PASSWORD)
    for number in range(100):
        fail(1, address=f"10.0.0.{number}")

    assert try_from(address, password=PASSWORD).status_code == status


def test_the_admin_login_is_counted_and_blocked_too(alice):
    client = Client(headers={"X-Forwarded-For": HOME})
    for _ in range(5):
        client.post("/admin/login/", {"username": "alice@example.com", "password": "wrong"})

    page = client.post("/admin/login/", {"username": "alice@example.com", "password": PASSWORD})
    assert b"Too many failed sign-ins. Try again in 15 minutes." in page.content
    assert_error(try_from(HOME, password=PASSWORD), 429, "RATE_LIMITED")


def test_checking_the_limits_takes_one_query(alice, django_assert_num_queries):
    fail(3)

    with django_assert_num_queries(1):
        login_guard.check_attempts("alice@example.com", HOME, at=timezone.now())
