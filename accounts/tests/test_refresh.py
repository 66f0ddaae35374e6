"""POST /auth/token/refresh: a token works once, and reusing a copy ends the session."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import tokens
from accounts.models import Session, User
from tests.support.assertions import assert_error
from tests.support.caller import Caller, sign_in
from tests.support.threads import run_together


def refresh(token):
    return Caller()("post", "/auth/token/refresh", {"refresh": token})


def move_last_use_back(**by):
    Session.objects.update(last_used_at=timezone.now() - timedelta(**by))


def test_a_refresh_returns_the_next_token_pair_of_the_session(pair):
    next_pair = refresh(pair["refresh"])

    assert next_pair.status_code == 200
    assert next_pair["Cache-Control"] == "no-store"
    assert next_pair.json()["refresh"] != pair["refresh"]
    for token in (pair["access"], next_pair.json()["access"]):
        assert Caller(token)("get", "/me").status_code == 200
    assert refresh(next_pair.json()["refresh"]).status_code == 200
    assert Session.objects.count() == 1


def test_reusing_a_token_just_replaced_is_refused_without_ending_the_session(pair):
    next_pair = refresh(pair["refresh"]).json()

    assert_error(refresh(pair["refresh"]), 401, "TOKEN_REUSED")
    assert refresh(next_pair["refresh"]).status_code == 200


def test_losing_a_race_in_a_session_that_was_not_used_for_a_while_does_not_end_it(pair):
    move_last_use_back(days=1)
    next_pair = refresh(pair["refresh"]).json()

    assert_error(refresh(pair["refresh"]), 401, "TOKEN_REUSED")
    assert refresh(next_pair["refresh"]).status_code == 200


def test_reusing_a_token_ends_only_its_own_session(pair):
    other = sign_in().json()
    refresh(pair["refresh"])
    move_last_use_back(seconds=11)

    assert_error(refresh(pair["refresh"]), 401, "TOKEN_REUSED")
    assert Caller(other["access"])("get", "/me").status_code == 200
    assert refresh(other["refresh"]).status_code == 200


def test_reusing_a_token_after_the_grace_period_ends_the_session(pair):
    next_pair = refresh(pair["refresh"]).json()
    move_last_use_back(seconds=11)

    assert_error(refresh(pair["refresh"]), 401, "TOKEN_REUSED")
    assert_error(refresh(next_pair["refresh"]), 401, "INVALID_TOKEN")
    assert_error(Caller(next_pair["access"])("get", "/me"), 401, "INVALID_TOKEN")


def test_reusing_a_token_two_generations_old_ends_the_session_immediately(pair):
    second = refresh(pair["refresh"]).json()
    refresh(second["refresh"])

    assert_error(refresh(pair["refresh"]), 401, "TOKEN_REUSED")
    assert not Session.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.replace(".1.", ".0."),
        lambda token: token.partition("~")[0],
        lambda token: "x",
        lambda token: "a.b.c~d",
        lambda token: tokens._refresh_signer().sign("no-uuid.1.x"),
    ],
)
def test_a_forged_refresh_token_causes_no_query_and_ends_no_session(pair, forge):
    with CaptureQueriesContext(connection) as queries:
        assert_error(refresh(forge(pair["refresh"])), 401, "INVALID_TOKEN")

    assert not [query["sql"] for query in queries if "accounts_" in query["sql"]]
    assert refresh(pair["refresh"]).status_code == 200


@pytest.mark.parametrize(
    "end",
    [
        lambda: Session.objects.update(expires_at=timezone.now()),
        lambda: User.objects.update(is_active=False),
        lambda: User.objects.all().delete(),
    ],
    ids=["expired session", "deactivated account", "deleted account"],
)
def test_an_expired_session_and_an_account_that_is_gone_cannot_be_refreshed(pair, end):
    end()

    assert_error(refresh(pair["refresh"]), 401, "INVALID_TOKEN")
    assert_error(Caller(pair["access"])("get", "/me"), 401, "INVALID_TOKEN")


def test_a_refresh_extends_the_session(pair):
    Session.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    refresh(pair["refresh"])

    assert Session.objects.get().expires_at > timezone.now() + timedelta(days=29)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_one_of_32_parallel_refreshes_succeeds_and_the_session_stays_alive(pair):
    answers = run_together(32, lambda: refresh(pair["refresh"]))

    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer.json() != winner:
            assert_error(answer, 401, "TOKEN_REUSED")
    assert Caller(winner["access"])("get", "/me").status_code == 200
    assert refresh(winner["refresh"]).status_code == 200
