"""POST /auth/register, /auth/token and /auth/logout."""

import datetime
from unittest.mock import Mock

import pytest

from accounts.hashers import Argon2id
from accounts.models import Session, User
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, Caller, sign_in


def register(anyone, **body):
    return anyone("post", "/auth/register", {"email": "carol@example.com", "password": PASSWORD, **body})


def test_registering_makes_an_account_that_can_sign_in(anyone):
    response = register(anyone, email=" Carol@Example.com ", name="Carol")

    assert response.status_code == 201
    assert response.json()["email"] == "carol@example.com"
    assert response.json()["name"] == "Carol"
    assert "password" not in response.json()
    assert sign_in("CAROL@example.com").status_code == 200


def test_an_email_that_is_taken_is_a_conflict_whatever_its_case(anyone, alice):
    error = assert_error(register(anyone, email="ALICE@example.com"), 409, "CONFLICT")

    assert error["details"] == {"field": "email", "constraint": "unique"}


@pytest.mark.parametrize(
    ("body", "field", "constraint"),
    [
        ({"email": "carol"}, "email", "invalid"),
        ({"email": ""}, "email", "blank"),
        ({"email": None}, "email", "null"),
        ({"email": "c@" + "x" * 250 + ".com"}, "email", "max_length"),
        ({"password": "short"}, "password", "password_too_short"),
        ({"password": "password123"}, "password", "password_too_common"),
        ({"password": "carol@example.com"}, "password", "password_too_similar"),
        ({"password": "83729104857"}, "password", "password_entirely_numeric"),
        ({"password": "x" * 1001}, "password", "max_length"),
        ({"password": "with\0nul and more"}, None, None),
        ({"is_staff": True}, "is_staff", "unknown"),
        ({"id": "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52"}, "id", "unknown"),
    ],
)
def test_what_makes_no_account_is_refused_by_name(anyone, body, field, constraint):
    response = register(anyone, **body)

    if field is None:
        assert_error(response, 400, "MALFORMED_REQUEST")
    else:
        error = assert_error(response, 400, "VALIDATION_ERROR", field=field)
        assert error["details"]["constraint"] == constraint
    assert not User.objects.exists()


def test_registration_can_be_closed(anyone, settings):
    settings.REGISTRATION_OPEN = False

    assert_error(register(anyone), 403, "PERMISSION_DENIED")
    assert not User.objects.exists()


def test_signing_in_gives_a_pair_and_the_user(alice):
    answer = sign_in()

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 900
    assert answer.json()["user"]["id"] == str(alice.pk)
    assert Caller(answer.json()["access"])("get", "/me").json() == answer.json()["user"]


def test_neither_token_is_kept_as_it_is(pair):
    [session] = Session.objects.values()

    assert pair["refresh"] not in str(session)
    assert pair["access"] not in str(session)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("alice@example.com", "wrong"),
        ("alice@example.com", PASSWORD + " "),
        ("nobody@example.com", PASSWORD),
        ("bob@example.com", "x"),
    ],
)
def test_a_wrong_email_and_a_wrong_password_answer_alike(alice, bob, email, password):
    response = sign_in(email, password, **{"X-Request-ID": "same"})

    assert_error(response, 401, "INVALID_CREDENTIALS")
    assert response.content == sign_in("nobody@example.com", "other", **{"X-Request-ID": "same"}).content
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_deactivated_account_cannot_sign_in(alice):
    User.objects.update(is_active=False)

    assert_error(sign_in(), 401, "INVALID_CREDENTIALS")


def test_an_unknown_email_costs_a_hash_as_a_known_one_does(alice, monkeypatch):
    """Counts hashes, because a test must not measure time; the benchmark shows the distribution."""
    encode = Mock(wraps=Argon2id().encode)
    monkeypatch.setattr(Argon2id, "encode", lambda hasher, *given: encode(*given))

    sign_in("nobody@example.com", "wrong")

    assert encode.call_count == 1


def test_a_left_over_token_does_not_stand_in_the_way_of_signing_in(alice):
    assert sign_in(Authorization="Bearer rubbish").status_code == 200


def test_an_authenticated_request_asks_one_question(as_alice, django_assert_num_queries):
    # the session and its user together
    with django_assert_num_queries(1):
        assert as_alice("get", "/me").status_code == 200


def test_signing_out_acts_at_once(as_alice):
    assert as_alice("post", "/auth/logout").json() == {"ended": 1}

    assert_error(as_alice("get", "/me"), 401, "INVALID_TOKEN")


def test_signing_out_by_the_refresh_token_needs_no_access_token(anyone, pair):
    assert anyone("post", "/auth/logout", {"refresh": pair["refresh"]}).json() == {"ended": 1}

    assert_error(anyone("post", "/auth/token/refresh", {"refresh": pair["refresh"]}), 401, "INVALID_TOKEN")


def test_signing_out_twice_ends_nothing_more(anyone, pair):
    anyone("post", "/auth/logout", {"refresh": pair["refresh"]})

    assert anyone("post", "/auth/logout", {"refresh": pair["refresh"]}).json() == {"ended": 0}


def test_signing_out_leaves_other_sessions_alone(as_alice):
    other = Caller(sign_in().json()["access"])
    as_alice("post", "/auth/logout")

    assert other("get", "/me").status_code == 200


def test_signing_out_without_any_token_is_401(anyone):
    assert_error(anyone("post", "/auth/logout"), 401, "NOT_AUTHENTICATED")


def test_a_deactivated_account_is_out_at_once(as_alice):
    User.objects.update(is_active=False)

    assert_error(as_alice("get", "/me"), 401, "INVALID_TOKEN")


class Later(datetime.datetime):
    """A clock that is 15 minutes and a second ahead."""

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + datetime.timedelta(minutes=15, seconds=1)


@pytest.mark.parametrize("used_before", [False, True])
def test_an_access_token_expires(pair, monkeypatch, used_before):
    if used_before:
        assert Caller(pair["access"])("get", "/me").status_code == 200
    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    monkeypatch.setattr("django.utils.timezone.now", lambda: Later.now(datetime.UTC))

    assert_error(Caller(pair["access"])("get", "/me"), 401, "TOKEN_EXPIRED")
