"""POST /auth/token, and the access token that it returns."""

import datetime
from unittest.mock import Mock

import pytest
from django.utils import timezone

from accounts.hashers import Argon2id
from accounts.models import Session, User
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, Caller, sign_in


def test_signing_in_returns_the_user_and_a_token_pair_that_is_not_stored_in_plain_text(alice):
    answer = sign_in()

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 900
    assert answer.json()["user"]["id"] == str(alice.pk)
    assert Caller(answer.json()["access"])("get", "/me").json() == answer.json()["user"]
    [session] = Session.objects.values()
    for token in (answer.json()["access"], answer.json()["refresh"]):
        assert token not in str(session)


def test_signing_in_sets_the_last_login(alice):
    before = timezone.now()
    sign_in(password="wrong")
    assert User.objects.get().last_login is None

    sign_in()
    assert before < User.objects.get().last_login < timezone.now()


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("alice@example.com", "wrong"),
        ("alice@example.com", PASSWORD + " "),
        ("nobody@example.com", PASSWORD),
        ("bob@example.com", "x"),
    ],
)
def test_a_wrong_email_and_a_wrong_password_get_the_same_response(alice, bob, email, password):
    response = sign_in(email, password, **{"X-Request-ID": "same"})

    assert_error(response, 401, "INVALID_CREDENTIALS")
    assert response.content == sign_in("nobody@example.com", "other", **{"X-Request-ID": "same"}).content
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_deactivated_account_cannot_sign_in(alice):
    User.objects.update(is_active=False)

    assert_error(sign_in(), 401, "INVALID_CREDENTIALS")


def test_an_unknown_email_costs_one_hash_like_a_known_one(alice, monkeypatch):
    """Counts hashes instead of measuring time, which depends on the machine."""
    encode = Mock(wraps=Argon2id().encode)
    monkeypatch.setattr(Argon2id, "encode", lambda hasher, *args: encode(*args))

    sign_in("nobody@example.com", "wrong")

    assert encode.call_count == 1


def test_signing_in_ignores_a_stale_token_in_the_header(alice):
    assert sign_in(Authorization="Bearer stale").status_code == 200


def test_authentication_takes_one_query(as_alice, django_assert_num_queries):
    # the session with its user
    with django_assert_num_queries(1):
        assert as_alice("get", "/me").status_code == 200


def test_deactivating_an_account_signs_it_out_immediately(as_alice):
    User.objects.update(is_active=False)

    assert_error(as_alice("get", "/me"), 401, "INVALID_TOKEN")


def test_a_session_lives_for_30_days_without_use(alice):
    sign_in()

    left = Session.objects.get().expires_at - timezone.now()
    assert datetime.timedelta(days=29, hours=23) < left <= datetime.timedelta(days=30)


def test_a_long_user_agent_is_shortened(alice):
    assert sign_in(**{"User-Agent": "x" * 1000}).status_code == 200

    assert Session.objects.get().user_agent == "x" * 300


@pytest.fixture
def advance(monkeypatch):
    """Advances the clocks of the server."""

    def advance(**by):
        class Later(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.datetime.now(tz) + datetime.timedelta(**by)

        monkeypatch.setattr("jwt.api_jwt.datetime", Later)
        monkeypatch.setattr("django.utils.timezone.now", lambda: Later.now(datetime.UTC))

    return advance


def test_an_access_token_is_valid_for_nearly_15_minutes(pair, advance):
    advance(minutes=14, seconds=50)

    assert Caller(pair["access"])("get", "/me").status_code == 200


@pytest.mark.parametrize("used_before", [False, True])
def test_an_access_token_expires(pair, advance, used_before):
    if used_before:
        assert Caller(pair["access"])("get", "/me").status_code == 200
    advance(minutes=15, seconds=1)

    assert_error(Caller(pair["access"])("get", "/me"), 401, "TOKEN_EXPIRED")
