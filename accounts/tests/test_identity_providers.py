"""Tokens of identity providers, and the accounts that they create."""

import json
import time
from typing import Any

import jwt
import pytest
from django.core.cache import cache

from accounts.models import Identity, User
from tests.support.assertions import assert_error
from tests.support.caller import Caller
from tests.support.issuer import SECRET, claims, private_key, public_jwk
from tests.support.threads import run_together


def me(token):
    return Caller(token)("get", "/me")


def backend_token(**changes):
    content = json.dumps(claims("backend", **changes)).encode()
    return jwt.api_jws.encode(content, SECRET, "HS256")


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_a_token_signed_by_a_published_key_is_accepted(issuer, algorithm):
    issuer.publish(public_jwk(algorithm, "k1"))

    assert me(issuer.token(algorithm)).status_code == 200


def test_a_token_signed_by_a_shared_secret_is_accepted(issuer):
    assert me(backend_token()).status_code == 200
    assert issuer.fetches == 0


PAST, FUTURE = 1_700_000_000, 4_000_000_000
NO_TIMES: list[Any] = ["x", [PAST], {}, float("nan"), float("inf")]
SUBJECTS: list[Any] = ["", "x" * 256, "nul\0", "x\ud800", 7, ["x"], {}, True]
WRONG_CLAIMS: list[dict[str, Any]] = [
    *({claim: None} for claim in ("exp", "iat", "sub", "iss", "aud")),
    *({"aud": audience} for audience in ("another", "", ["another"], [], ["todo", 7], 7, {"todo": 1}, True)),
    *({claim: value} for claim in ("exp", "iat", "nbf") for value in NO_TIMES),
    *({claim: value} for claim in ("iat", "nbf") for value in (FUTURE, str(PAST), True)),
    {"exp": str(FUTURE)},
    *({"sub": subject} for subject in SUBJECTS),
    *({"iss": issuer} for issuer in ("", 7, ["backend"], True)),
]  # fmt: skip


@pytest.mark.parametrize("changes", WRONG_CLAIMS, ids=str)
def test_a_token_with_a_wrong_or_missing_claim_is_refused(issuer, changes):
    assert_error(me(backend_token(**changes)), 401, "INVALID_TOKEN")
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "changes", [{"aud": "another"}, {"exp": None}, {"iat": None}, {"sub": None}], ids=str
)
def test_a_token_signed_by_a_published_key_needs_the_same_claims(issuer, changes):
    assert_error(me(issuer.token(**changes)), 401, "INVALID_TOKEN")


@pytest.mark.parametrize("audience", ["todo", "other", ["other"], ["another", "todo"]])
def test_one_of_the_audiences_of_a_token_must_be_trusted(issuer, audience):
    assert me(backend_token(aud=audience)).status_code == 200


@pytest.mark.parametrize("changes", [{"iat": -3.5, "exp": -3.5}, {"iat": 3.5}, {"nbf": 3.5}], ids=str)
def test_the_clock_of_an_issuer_may_differ_by_less_than_five_seconds(issuer, changes):
    now = time.time()

    assert me(backend_token(**{claim: now + by for claim, by in changes.items()})).status_code == 200


@pytest.mark.parametrize("seconds", [6, 86_400])
def test_an_expired_token_has_its_own_code(issuer, seconds):
    assert_error(me(backend_token(exp=time.time() - seconds)), 401, "TOKEN_EXPIRED")


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_from_the_future_is_refused(issuer, claim):
    assert_error(me(backend_token(**{claim: time.time() + 7})), 401, "INVALID_TOKEN")


def test_a_token_signed_by_another_key_with_the_id_of_a_published_one_is_refused(issuer):
    key = private_key("EdDSA", "another")
    forged = jwt.encode(claims(issuer.name), key, algorithm="EdDSA", headers={"kid": "k1"})

    assert_error(me(forged), 401, "INVALID_TOKEN")
    assert me(issuer.token()).status_code == 200


def test_a_token_of_more_than_8192_characters_is_refused(issuer):
    assert_error(me(backend_token(filler="x" * 8192)), 401, "INVALID_TOKEN")
    assert me(backend_token(filler="x" * 5000)).status_code == 200


def test_a_token_signed_by_another_secret_is_refused(issuer):
    assert_error(me(jwt.encode(claims("backend"), "x" * 40)), 401, "INVALID_TOKEN")


def test_a_new_identity_creates_a_user_without_email_password_or_role(issuer):
    me(issuer.token(name="Ann", email="ann@example.com"))

    user = User.objects.get()
    assert (user.email, user.name, user.is_staff, user.is_superuser) == (None, "Ann", False, False)
    assert not user.has_usable_password()
    assert Identity.objects.get().email == "ann@example.com"


def test_each_subject_of_each_issuer_is_one_user(issuer):
    tokens = [issuer.token(), issuer.token(sub="person-2"), backend_token()]
    users = [me(token).json()["id"] for token in [*tokens, *tokens]]

    assert users[:3] == users[3:]
    assert len(set(users)) == 3


def test_an_email_claim_neither_matches_nor_blocks_an_account(issuer, alice, anyone):
    outside = me(issuer.token(email="alice@example.com", email_verified=True)).json()
    me(issuer.token(sub="person-2", email="carol@example.com"))

    assert outside["id"] != str(alice.pk)
    body = {"email": "carol@example.com", "password": "correct horse battery"}
    assert anyone("post", "/auth/register", body).status_code == 201


def test_authenticating_a_known_identity_takes_one_query(issuer, django_assert_num_queries):
    token = issuer.token()
    me(token)

    with django_assert_num_queries(1):
        assert me(token).status_code == 200


@pytest.mark.parametrize(
    "subject", ["x", "a b", "auth0|5f", "é漢🙂", "' OR 1=1 --", "x" * 255, "../..", "null"]
)
def test_a_subject_may_be_any_text(issuer, subject):
    assert me(issuer.token(sub=subject)).status_code == 200
    assert Identity.objects.get().subject == subject


@pytest.mark.parametrize("odd", [7, None, ["a"], "nul\0", "x\ud800"])
def test_invalid_name_and_email_claims_are_ignored(issuer, odd):
    assert me(backend_token(name=odd, email=odd)).status_code == 200


def test_long_name_and_email_claims_are_shortened(issuer):
    me(backend_token(name="x" * 1000, email="x" * 1000))

    assert len(User.objects.get().name) == 150
    assert len(Identity.objects.get().email) == 254


def test_a_banned_identity_is_refused(issuer):
    assert_error(me(issuer.token(banned=True)), 403, "PERMISSION_DENIED")
    assert not User.objects.exists()


def test_deactivating_a_user_takes_effect_immediately(issuer):
    me(issuer.token())
    User.objects.update(is_active=False)

    assert_error(me(issuer.token()), 401, "INVALID_TOKEN")


def test_a_user_without_password_deletes_the_account_with_a_recent_token(issuer):
    old = issuer.token(iat=int(time.time()) - 700)
    assert_error(Caller(old)("delete", "/me"), 403, "PERMISSION_DENIED")
    assert Caller(issuer.token())("delete", "/me").status_code == 200
    assert not User.objects.exists()


def test_a_personal_token_does_not_delete_an_account_without_a_password(issuer):
    made = Caller(issuer.token())("post", "/me/tokens", {"name": "script", "scopes": ["account"]})

    assert_error(Caller(made.json()["token"])("delete", "/me"), 403, "PERMISSION_DENIED")
    assert User.objects.exists()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_16_parallel_first_requests_create_one_user(issuer):
    token = issuer.token()
    answers = run_together(16, lambda: me(token))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert User.objects.count() == 1
    assert issuer.fetches == 1


def test_the_rate_limit_of_the_user_applies(issuer, settings):
    settings.RATE_LIMIT_USER = (2, 60)
    cache.clear()

    assert [me(issuer.token()).status_code for _ in range(3)] == [200, 200, 429]
