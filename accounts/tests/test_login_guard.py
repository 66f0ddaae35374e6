"""Password guessing is limited, and nobody can lock out a user permanently."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import login_guard
from accounts.models import FailedLogin, PersonalToken, Session, User
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, Caller, password_hash, sign_in, signed_in
from tests.support.client import Client
from tests.support.threads import run_together

HOME = "203.0.113.7"
ELSEWHERE = "198.51.100.1"


@pytest.fixture(autouse=True)
def behind_a_proxy(settings):
    settings.TRUSTED_PROXY_COUNT = 1


def try_from(address, email="alice@example.com", password="wrong"):
    return sign_in(email, password, **{"X-Forwarded-For": address})


def fail(number, *, email="alice@example.com", address=HOME, ago=timedelta(0)):
    """The email and the address may contain a placeholder for the number of the failure."""
    FailedLogin.objects.bulk_create(
        FailedLogin(email=email.format(n), address=address.format(n), at=timezone.now() - ago)
        for n in range(number)
    )


def remaining():
    return set(FailedLogin.objects.values_list("email", "address"))


@pytest.mark.parametrize(
    ("email", "forged"),
    [("alice@example.com", ""), ("alice@example.com", "10.0.0.{}, "), ("nobody@example.com", "")],
    ids=["known email", "forged address", "unknown email"],
)
def test_after_five_failures_from_an_address_the_correct_password_is_refused_too(alice, email, forged):
    addresses = [forged.format(number) + HOME for number in range(6)]
    assert [try_from(address, email).status_code for address in addresses] == [401] * 5 + [429]

    response = try_from(HOME, email, PASSWORD)
    assert_error(response, 429, "TOO_MANY_ATTEMPTS")
    assert 890 <= int(response["Retry-After"]) <= 900


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_24_parallel_attempts_five_are_checked(alice):
    answers = run_together(24, lambda: try_from(HOME))

    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 19


def test_a_blocked_attempt_costs_no_hash(alice, monkeypatch):
    fail(5)
    monkeypatch.setattr(User, "check_password", None)

    assert_error(try_from(HOME), 429, "TOO_MANY_ATTEMPTS")


def test_a_blocked_attempt_does_not_extend_the_block(alice):
    fail(5, ago=timedelta(minutes=14))
    try_from(HOME)
    FailedLogin.objects.update(at=timezone.now() - timedelta(minutes=15))

    assert try_from(HOME, password=PASSWORD).status_code == 200


def test_the_user_can_sign_in_from_another_address_during_a_block(alice):
    fail(5)

    assert try_from(ELSEWHERE, password=PASSWORD).status_code == 200


def test_a_block_ends_when_the_oldest_of_the_failures_is_15_minutes_old(alice):
    fail(1, ago=timedelta(minutes=14, seconds=55))
    fail(4)

    response = try_from(HOME, password=PASSWORD)
    assert_error(response, 429, "TOO_MANY_ATTEMPTS")
    assert int(response["Retry-After"]) <= 5


def test_a_success_clears_the_failures_of_the_account_from_the_same_address_only(alice):
    fail(4)
    fail(1, email="bob@example.com")
    fail(1, address=ELSEWHERE)
    try_from(HOME, password=PASSWORD)

    assert remaining() == {("bob@example.com", HOME), ("alice@example.com", ELSEWHERE)}


@pytest.mark.parametrize(("failures", "status"), [(49, 200), (50, 429)])
def test_an_address_is_blocked_after_50_failures_for_any_account(alice, failures, status):
    fail(failures, email="user{}@example.com")

    assert try_from(HOME, password=PASSWORD).status_code == status
    assert try_from(ELSEWHERE, password=PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("failures", "address", "status"), [(99, ELSEWHERE, 200), (100, ELSEWHERE, 429), (100, HOME, 200)]
)
def test_100_failures_from_any_address_block_the_addresses_that_the_user_never_used(
    alice, failures, address, status
):
    try_from(HOME, password=PASSWORD)
    fail(failures, address="10.0.0.{}")

    assert try_from(address, password=PASSWORD).status_code == status


def test_an_address_is_familiar_only_to_the_users_who_have_signed_in_from_it(alice, bob):
    Session.new(bob, at=timezone.now(), user_agent="", address=HOME)[0].save()
    fail(100, address="10.0.0.{}")

    assert_error(try_from(HOME, password=PASSWORD), 429, "TOO_MANY_ATTEMPTS")


def change_password(caller, current=PASSWORD):
    body = {"current_password": current, "new_password": "another horse, another battery"}
    return caller("post", "/me/password", body, **{"X-Forwarded-For": HOME})


def delete_account(caller):
    return caller("delete", "/me", {"password": PASSWORD}, **{"X-Forwarded-For": HOME})


@pytest.mark.parametrize("act", [change_password, delete_account])
@pytest.mark.parametrize("email", ["alice@example.com", "user{}@example.com"])
def test_failures_of_strangers_at_the_same_address_do_not_block_a_signed_in_user(as_alice, act, email):
    fail(100, email=email)

    assert act(as_alice).status_code == 200


def test_wrong_passwords_of_a_signed_in_user_block_only_the_same_session(as_alice, alice):
    wrong = [change_password(as_alice, current="wrong").status_code for _ in range(6)]

    assert wrong == [400] * 5 + [429]
    assert_error(delete_account(as_alice), 429, "TOO_MANY_ATTEMPTS")
    assert try_from(HOME, password=PASSWORD).status_code == 200
    assert change_password(signed_in(alice)).status_code == 200


def test_wrong_passwords_sent_with_tokens_of_a_user_are_counted_together(as_alice):
    made = [as_alice("post", "/me/tokens", {"name": name, "scopes": ["account"]}) for name in "ab"]
    first, second = (Caller(response.json()["token"]) for response in made)
    for _ in range(5):
        change_password(first, current="wrong")

    assert_error(change_password(second), 429, "TOO_MANY_ATTEMPTS")
    assert change_password(as_alice).status_code == 200


def test_wrong_passwords_of_users_without_an_email_are_counted_apart(db):
    users = [User.objects.create(password=password_hash(PASSWORD)) for _ in range(2)]
    first, second = (
        Caller(PersonalToken.issue(user, at=timezone.now(), name="script", scopes=["account"])[1])
        for user in users
    )
    for _ in range(5):
        change_password(first, current="wrong")

    assert change_password(second).status_code == 200


@pytest.mark.parametrize("email", ["alice@example.com", "user{}@example.com"])
def test_an_address_that_cannot_be_read_is_not_blocked(alice, email):
    fail(50, email=email, address="")

    assert try_from("unknown", password=PASSWORD).status_code == 200


def test_an_address_that_cannot_be_read_is_never_familiar(alice):
    try_from("unknown", password=PASSWORD)
    fail(100, address="")

    assert_error(try_from("unknown", password=PASSWORD), 429, "TOO_MANY_ATTEMPTS")


def test_an_email_that_is_longer_in_lower_case_is_shortened(db):
    page = Client().post("/admin/login/", {"username": "\u0130" * 254, "password": "wrong"})

    assert page.status_code == 200
    assert len(FailedLogin.objects.get().email) == 254


def test_the_admin_login_is_counted_and_blocked_too(alice):
    client = Client(headers={"X-Forwarded-For": HOME})
    for _ in range(5):
        client.post("/admin/login/", {"username": "alice@example.com", "password": "wrong"})

    page = client.post("/admin/login/", {"username": "alice@example.com", "password": PASSWORD})
    assert b"Too many failed sign-ins. Try again in 15 minutes." in page.content
    assert_error(try_from(HOME, password=PASSWORD), 429, "TOO_MANY_ATTEMPTS")


def test_a_sign_in_to_the_admin_clears_failures_too(alice):
    User.objects.update(is_staff=True)
    fail(4)
    fail(1, address=ELSEWHERE)
    client = Client(headers={"X-Forwarded-For": HOME})
    client.post("/admin/login/", {"username": "alice@example.com", "password": PASSWORD})

    assert remaining() == {("alice@example.com", ELSEWHERE)}


def test_checking_the_limits_takes_one_query(alice, django_assert_num_queries):
    fail(3)

    with django_assert_num_queries(1):
        login_guard.check_attempts("alice@example.com", HOME, at=timezone.now())
