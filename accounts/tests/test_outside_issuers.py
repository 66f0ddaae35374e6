"""Tokens of outside issuers, proven by the keys of a real server, whatever state it is in."""

import itertools
import json
import threading
import time

import jwt
import pytest
from django.core.cache import cache

from accounts import jwks
from accounts.models import Identity, User
from tests.support.assertions import assert_error
from tests.support.caller import Caller
from tests.support.issuer import SECRET, Issuer, claims, private_key, public_jwk
from tests.support.threads import run_together
from todo_project.config import issuers


@pytest.fixture
def issuer(settings, db):
    server = Issuer()
    backend = {"issuer": "backend", "audience": ["todo", "other"], "algorithms": ["HS256"], "secret": SECRET}
    settings.TRUSTED_ISSUERS = issuers.parse(json.dumps([server.registered, backend]))
    jwks._keys_of.cache_clear()
    yield server
    server.close()


@pytest.fixture
def clock(monkeypatch):
    """The keys' clock, put forward by hand."""
    now = {"at": 1000.0}
    monkeypatch.setattr("accounts.jwks.time.monotonic", lambda: now["at"])

    def forward(seconds):
        now["at"] += seconds

    return forward


def me(token):
    return Caller(token)("get", "/me")


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_a_token_is_proven_by_the_published_key(issuer, algorithm):
    issuer.publish(public_jwk(algorithm, "k1"))

    assert me(issuer.token(algorithm)).status_code == 200


def test_a_token_is_proven_by_a_shared_secret(issuer):
    assert me(jwt.encode(claims("backend"), SECRET)).status_code == 200
    assert issuer.fetches == 0


def test_a_person_from_outside_has_no_email_no_password_and_no_role(issuer):
    me(issuer.token(name="Ann", email="ann@example.com"))

    user = User.objects.get()
    assert (user.email, user.name, user.is_staff, user.is_superuser) == (None, "Ann", False, False)
    assert not user.has_usable_password()
    assert Identity.objects.get().email == "ann@example.com"


def test_the_same_person_is_the_same_user(issuer):
    assert me(issuer.token()).json() == me(issuer.token()).json()
    assert me(issuer.token(sub="person-2")).json()["id"] != me(issuer.token()).json()["id"]


def test_the_same_subject_at_two_issuers_is_two_people(issuer):
    assert me(issuer.token()).json()["id"] != me(jwt.encode(claims("backend"), SECRET)).json()["id"]


def test_an_email_claim_neither_matches_nor_blocks_an_account(issuer, alice, anyone):
    outside = me(issuer.token(email="alice@example.com", email_verified=True)).json()
    me(issuer.token(sub="person-2", email="carol@example.com"))

    assert outside["id"] != str(alice.pk)
    body = {"email": "carol@example.com", "password": "correct horse battery"}
    assert anyone("post", "/auth/register", body).status_code == 201


def test_a_known_person_costs_one_question(issuer, django_assert_num_queries):
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


@pytest.mark.parametrize("subject", ["", "x" * 256, "nul\0", 7, ["x"], {}, True])
def test_any_other_subject_is_refused(issuer, subject):
    token = jwt.api_jws.encode(json.dumps(claims("backend", sub=subject)).encode(), SECRET, "HS256")

    assert_error(me(token), 401, "INVALID_TOKEN")
    assert not User.objects.exists()


def test_half_a_surrogate_pair_is_no_subject(issuer):
    token = jwt.api_jws.encode(json.dumps(claims("backend", sub="x\ud800")).encode(), SECRET, "HS256")

    assert_error(me(token), 401, "INVALID_TOKEN")


@pytest.mark.parametrize("odd", [7, None, ["a"], "x" * 1000, "nul\0", "x\ud800"])
def test_odd_information_beside_the_subject_does_no_harm(issuer, odd):
    content = json.dumps({**claims("backend"), "name": odd, "email": odd}).encode()

    assert me(jwt.api_jws.encode(content, SECRET, "HS256")).status_code == 200


def test_a_banned_person_is_refused(issuer):
    assert_error(me(issuer.token(banned=True)), 403, "PERMISSION_DENIED")
    assert not User.objects.exists()


def test_a_deactivated_person_is_out_at_once(issuer):
    me(issuer.token())
    User.objects.update(is_active=False)

    assert_error(me(issuer.token()), 401, "INVALID_TOKEN")


def test_a_person_from_outside_deletes_the_account_with_a_fresh_token(issuer):
    old = issuer.token(iat=int(time.time()) - 700)
    assert_error(Caller(old)("delete", "/me"), 403, "PERMISSION_DENIED")
    assert Caller(issuer.token())("delete", "/me").status_code == 200
    assert not User.objects.exists()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_sixteen_first_requests_at_once_make_one_user(issuer):
    token = issuer.token()
    answers = run_together(16, lambda: me(token))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert User.objects.count() == 1
    assert issuer.fetches == 1


# Keys


def test_keys_are_fetched_once(issuer):
    for number in range(5):
        me(issuer.token(sub=f"person-{number}"))

    assert issuer.fetches == 1


def test_a_new_key_is_fetched_when_it_is_first_used(issuer, clock):
    me(issuer.token())
    clock(11)
    issuer.publish(public_jwk("EdDSA", "k1"), public_jwk("ES256", "k2"))

    assert me(issuer.token("ES256", "k2")).status_code == 200
    assert issuer.fetches == 2


def test_a_key_that_was_withdrawn_is_forgotten(issuer, clock):
    old = issuer.token()
    me(old)
    clock(601)
    issuer.publish(public_jwk("ES256", "k2"))

    assert_error(me(old), 401, "INVALID_TOKEN")


def test_a_flood_of_made_up_keys_costs_one_fetch(issuer, clock):
    me(issuer.token())
    clock(11)
    for number in range(100):
        assert_error(me(issuer.token(kid=f"made-up-{number}")), 401, "INVALID_TOKEN")

    assert issuer.fetches == 2


@pytest.mark.parametrize(
    "published",
    [
        public_jwk("EdDSA", "k1", use="enc"),
        public_jwk("EdDSA", "k1", alg="ES256"),
        {"kty": "oct", "kid": "k1", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"},
        {"kty": "unheard-of", "kid": "k1"},
        {"kid": "k1"},
    ],
)
def test_a_key_for_something_else_proves_nothing(issuer, published):
    issuer.publish(published, public_jwk("ES256", "k2"))

    assert_error(me(issuer.token()), 401, "INVALID_TOKEN")


@pytest.mark.parametrize(("signed", "published"), [*itertools.permutations(["EdDSA", "ES256", "RS256"], 2)])
def test_a_key_of_another_kind_under_the_same_name_proves_nothing(issuer, signed, published):
    key = public_jwk(published, "k1")
    del key["alg"]
    issuer.publish(key)

    assert_error(me(issuer.token(signed)), 401, "INVALID_TOKEN")


def test_a_key_is_used_only_for_the_algorithm_it_was_published_for(issuer):
    issuer.publish(public_jwk("RS256", "k1"))
    key = private_key("RS256", "k1")

    padded = jwt.encode(claims(issuer.name), key, algorithm="PS256", headers={"kid": "k1"})
    assert_error(me(padded), 401, "INVALID_TOKEN")
    assert me(issuer.token("RS256")).status_code == 200


def test_a_single_key_needs_no_name(issuer):
    token = jwt.encode(claims(issuer.name), private_key("EdDSA", "k1"), algorithm="EdDSA")

    assert me(token).status_code == 200


def break_by_closing(issuer):
    issuer.close()


def break_by(status, content, **headers):
    return lambda issuer: issuer.answer(status, content, **headers)


OUTAGES = {
    "closed": break_by_closing,
    "a 500": break_by(500, b"{}"),
    "a 404": break_by(404, b"{}"),
    "HTML": break_by(200, b"<html>Maintenance</html>"),
    "not UTF-8": break_by(200, b"\xff\xfe"),
    "a list": break_by(200, b"[]"),
    "no keys": break_by(200, b'{"keys": []}'),
    "keys that are no list": break_by(200, b'{"keys": {"a": 1}}'),
    "keys of unknown kinds": break_by(200, b'{"keys": [{"kty": "x"}, 7, null]}'),
    "too much": break_by(200, b" " * 300_000),
    "nested too deep": break_by(200, b"[" * 200_000),
    "a redirect": break_by(302, b"", Location="http://127.0.0.1:1/jwks"),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_without_any_key_the_answer_is_to_try_again_later(issuer, outage):
    token = issuer.token()
    outage(issuer)

    response = me(token)
    assert_error(response, 503, "SERVICE_UNAVAILABLE")
    assert response["Retry-After"]


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_keys_that_are_known_serve_through_an_outage(issuer, clock, outage):
    me(issuer.token())
    outage(issuer)
    clock(3600)

    assert me(issuer.token()).status_code == 200


def test_an_issuer_that_comes_back_is_asked_again(issuer, clock):
    issuer.close()
    assert_error(me(issuer.token()), 503, "SERVICE_UNAVAILABLE")
    issuer.open()
    assert_error(me(issuer.token()), 503, "SERVICE_UNAVAILABLE")
    assert issuer.fetches == 0
    clock(11)

    assert me(issuer.token()).status_code == 200


@pytest.fixture
def waiting(issuer):
    """The issuer takes its time, and one thread is waiting for it."""
    keys = jwks._keys_of(issuer.registered["jwks_url"])
    header = {"kid": "k1", "alg": "EdDSA"}

    def start(known):
        if known:
            keys.find(header)
            keys.fetched_at = keys.tried_at = float("-inf")
        issuer.go_on.clear()
        asked = issuer.fetches
        thread = threading.Thread(target=lambda: keys.find(header))
        thread.start()
        while issuer.fetches == asked:
            pass
        threads.append(thread)

    threads: list[threading.Thread] = []
    yield start
    issuer.go_on.set()
    for thread in threads:
        thread.join()


def test_a_slow_issuer_is_in_nobody_elses_way(issuer, waiting, as_alice):
    waiting(known=False)

    assert as_alice("get", "/me").status_code == 200
    assert me(jwt.encode(claims("backend"), SECRET)).status_code == 200
    assert not issuer.go_on.is_set()


def test_a_key_that_is_known_does_not_wait_for_a_slow_issuer(issuer, waiting):
    waiting(known=True)

    assert me(issuer.token()).status_code == 200
    assert not issuer.go_on.is_set()


def test_a_key_that_is_unknown_does_not_wait_behind_another(issuer, waiting):
    waiting(known=True)

    assert_error(me(issuer.token(kid="k9")), 503, "SERVICE_UNAVAILABLE")
    assert not issuer.go_on.is_set()


# Linking


def link(caller, token):
    return caller("post", "/me/identities", {"token": token})


def test_an_identity_is_linked_once_and_then_means_the_account(issuer, as_alice, alice):
    assert [link(as_alice, issuer.token()).status_code for _ in range(2)] == [201, 200]

    assert me(issuer.token()).json()["id"] == str(alice.pk)
    assert User.objects.count() == 1


def test_an_identity_that_has_an_account_is_not_taken_from_it(issuer, as_alice):
    before = me(issuer.token()).json()

    assert_error(link(as_alice, issuer.token()), 409, "CONFLICT")
    assert me(issuer.token()).json() == before


@pytest.mark.parametrize("token", ["x", "a.b.c", "pat_x", ""])
def test_what_is_no_outside_token_links_nothing(issuer, as_alice, token):
    assert_error(link(as_alice, token), 400, "VALIDATION_ERROR", field="token")


def test_a_token_of_our_own_links_nothing(issuer, as_alice, pair):
    assert_error(link(as_alice, pair["access"]), 400, "VALIDATION_ERROR", field="token")


def test_an_identity_is_listed_and_unlinked(issuer, as_alice):
    made = link(as_alice, issuer.token(email="ann@example.com")).json()

    assert as_alice("get", "/me/identities").json()["results"] == [made]
    assert as_alice("delete", f"/me/identities/{made['id']}").json() == made
    assert as_alice("get", "/me/identities").json()["results"] == []


def test_the_only_way_in_is_not_unlinked(issuer):
    caller = Caller(issuer.token())
    [identity] = caller("get", "/me/identities").json()["results"]

    assert_error(caller("delete", f"/me/identities/{identity['id']}"), 409, "CONFLICT")


def test_a_strangers_identity_does_not_exist(issuer, as_alice):
    [theirs] = Caller(issuer.token())("get", "/me/identities").json()["results"]

    assert_error(as_alice("delete", f"/me/identities/{theirs['id']}"), 404, "NOT_FOUND")
    assert Identity.objects.count() == 1


def test_the_rate_limit_is_the_persons(issuer, settings):
    settings.RATE_LIMIT_USER = (2, 60)
    cache.clear()

    assert [me(issuer.token()).status_code for _ in range(3)] == [200, 200, 429]
