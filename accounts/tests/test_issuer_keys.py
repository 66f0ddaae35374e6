"""Public keys of outside issuers: fetched from a real server in every state that it can be in."""

import itertools
import threading

import jwt
import pytest

from accounts import jwks
from tests.support.assertions import assert_error
from tests.support.caller import Caller
from tests.support.issuer import SECRET, claims, private_key, public_jwk


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
    keys = jwks._cached_keys(issuer.registered["jwks_url"])
    header = {"kid": "k1", "alg": "EdDSA"}

    def start(known):
        if known:
            keys.find(header)
            keys.fetched_at = keys.attempted_at = float("-inf")
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
