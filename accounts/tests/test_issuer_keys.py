"""The public keys of identity providers, fetched from a local HTTP server."""

import itertools
import json
import socket
import threading
import time
from contextlib import closing

import jwt
import pytest

from accounts import jwks
from tests.support.assertions import assert_error
from tests.support.caller import Caller
from tests.support.certificates import CERTIFICATE, write_certificate
from tests.support.issuer import SECRET, Issuer, claims, private_key, public_jwk
from tests.support.processes import TIMEOUT
from todo_project.config import issuers

pytestmark = pytest.mark.any_database


@pytest.fixture
def clock(monkeypatch):
    """Advances the clock that the cache of keys uses."""
    now = {"at": 1000.0}
    monkeypatch.setattr("accounts.jwks.time.monotonic", lambda: now["at"])

    def advance(seconds):
        now["at"] += seconds

    return advance


def me(token):
    return Caller(token)("get", "/me")


def test_keys_are_fetched_once_in_ten_minutes(issuer, clock):
    for number in range(5):
        me(issuer.token(sub=f"person-{number}"))
    clock(599)
    me(issuer.token())
    assert issuer.fetches == 1

    clock(2)
    me(issuer.token())
    assert issuer.fetches == 2


def test_a_new_key_is_fetched_when_it_is_first_used(issuer, clock):
    me(issuer.token())
    clock(11)
    issuer.publish(public_jwk("EdDSA", "k1"), public_jwk("ES256", "k2"))

    assert me(issuer.token("ES256", "k2")).status_code == 200
    assert issuer.fetches == 2


def test_a_withdrawn_key_is_no_longer_accepted(issuer, clock):
    old = issuer.token()
    me(old)
    clock(601)
    issuer.publish(public_jwk("ES256", "k2"))

    assert_error(me(old), 401, "INVALID_TOKEN")


def test_many_unknown_key_ids_cause_one_fetch(issuer, clock):
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
def test_a_key_that_is_not_for_signatures_of_this_algorithm_is_ignored(issuer, published):
    issuer.publish(published, public_jwk("ES256", "k2"))

    assert_error(me(issuer.token()), 401, "INVALID_TOKEN")


@pytest.mark.parametrize(("signed", "published"), [*itertools.permutations(["EdDSA", "ES256", "RS256"], 2)])
def test_a_key_of_another_type_with_the_same_id_is_refused(issuer, signed, published):
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


def test_a_key_id_is_needed_if_there_are_several_keys(issuer, clock):
    token = jwt.encode(claims(issuer.name), private_key("EdDSA", "k1"), algorithm="EdDSA")
    assert me(token).status_code == 200

    clock(601)
    issuer.publish(public_jwk("EdDSA", "k1"), public_jwk("ES256", "k2"))
    assert_error(me(token), 401, "INVALID_TOKEN")


def break_by(status, content, **headers):
    return lambda issuer: issuer.answer(status, content, **headers)


OUTAGES = {
    "closed": Issuer.close,
    "a 500": lambda issuer: issuer.answer(500, issuer.content),
    "a 404": lambda issuer: issuer.answer(404, issuer.content),
    "HTML": break_by(200, b"<html>Maintenance</html>"),
    "not UTF-8": break_by(200, b"\xff\xfe"),
    "a list": break_by(200, b"[]"),
    "no keys": break_by(200, b'{"keys": []}'),
    "keys that are no list": break_by(200, b'{"keys": {"a": 1}}'),
    "keys of unknown kinds": break_by(200, b'{"keys": [{"kty": "x"}, 7, null]}'),
    "too much": lambda issuer: issuer.answer(200, issuer.content + b" " * 256 * 1024),
    "nested too deep": break_by(200, b"[" * 200_000),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_an_outage_without_cached_keys_is_503_with_retry_after(issuer, outage):
    token = issuer.token()
    outage(issuer)

    response = me(token)
    assert_error(response, 503, "SERVICE_UNAVAILABLE")
    assert response["Retry-After"]


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_cached_keys_serve_during_an_outage(issuer, clock, outage):
    me(issuer.token())
    outage(issuer)
    clock(3600)

    assert me(issuer.token()).status_code == 200


def test_a_redirect_is_not_followed(issuer):
    with closing(Issuer()) as elsewhere:
        issuer.answer(302, issuer.content, Location=elsewhere.registered["jwks_url"])

        assert_error(me(issuer.token()), 503, "SERVICE_UNAVAILABLE")
        assert elsewhere.fetches == 0


@pytest.mark.parametrize(
    ("host", "is_trusted", "status"),
    [
        ("localhost", True, 200),
        ("localhost", False, 503),
        ("127.0.0.1", True, 503),
    ],
)
def test_the_certificate_of_an_issuer_must_be_trusted_and_name_its_host(
    settings, db, tmp_path, monkeypatch, host, is_trusted, status
):
    write_certificate(tmp_path)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / CERTIFICATE))
    with closing(Issuer(certificate=tmp_path)) as issuer:
        registered = json.dumps([issuer.registered]).replace("localhost", host)
        settings.TRUSTED_ISSUERS = issuers.parse(registered)

        assert me(issuer.token(iss=issuer.name.replace("localhost", host))).status_code == status


@pytest.mark.parametrize("part", ["headers", "body"])
def test_the_whole_download_has_one_deadline(issuer, monkeypatch, part):
    monkeypatch.setattr(jwks, "FETCH_TIMEOUT", 0.3)
    issuer.dripping = part

    assert_error(me(issuer.token()), 503, "SERVICE_UNAVAILABLE")
    assert issuer.was_hung_up.wait(TIMEOUT)


def test_a_silent_issuer_delays_a_request_by_three_seconds(issuer):
    issuer.may_answer.clear()
    started = time.monotonic()

    assert_error(me(issuer.token()), 503, "SERVICE_UNAVAILABLE")
    assert 3 <= time.monotonic() - started < 10


def test_a_slow_lookup_of_the_host_is_abandoned(issuer, monkeypatch):
    monkeypatch.setattr(jwks, "FETCH_TIMEOUT", 0.1)
    test_is_over = threading.Event()

    def look_up(*args):
        test_is_over.wait(TIMEOUT)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    started = time.monotonic()

    assert_error(me(issuer.token()), 503, "SERVICE_UNAVAILABLE")
    assert time.monotonic() - started < 10
    test_is_over.set()


def test_a_large_response_is_not_read_to_its_end(issuer):
    issuer.answer(200, issuer.content + b" " * 16 * 1024 * 1024)

    assert_error(me(issuer.token()), 503, "SERVICE_UNAVAILABLE")
    assert issuer.was_hung_up.wait(TIMEOUT)


def test_keys_are_fetched_again_when_the_issuer_comes_back(issuer, clock):
    issuer.close()
    assert_error(me(issuer.token()), 503, "SERVICE_UNAVAILABLE")
    issuer.open()
    assert_error(me(issuer.token()), 503, "SERVICE_UNAVAILABLE")
    assert issuer.fetches == 0
    clock(11)

    assert me(issuer.token()).status_code == 200


@pytest.fixture
def waiting(issuer):
    """Starts a thread that waits for a slow issuer."""
    keys = jwks._cached_keys(issuer.registered["jwks_url"])
    header = {"kid": "k1", "alg": "EdDSA"}

    def start(known):
        if known:
            keys.find(header)
            keys.fetched_at = keys.attempted_at = float("-inf")
        issuer.may_answer.clear()
        fetches = issuer.fetches
        thread = threading.Thread(target=lambda: keys.find(header))
        thread.start()
        while issuer.fetches == fetches:
            pass
        threads.append(thread)

    threads: list[threading.Thread] = []
    yield start
    issuer.may_answer.set()
    for thread in threads:
        thread.join()


def test_a_slow_issuer_delays_no_token_of_others(issuer, waiting, as_alice):
    waiting(known=False)

    assert as_alice("get", "/me").status_code == 200
    assert me(jwt.encode(claims("backend"), SECRET)).status_code == 200
    assert not issuer.may_answer.is_set()


def test_neither_a_cached_nor_an_unknown_key_waits_for_a_fetch_in_progress(issuer, waiting):
    waiting(known=True)

    assert me(issuer.token()).status_code == 200
    assert_error(me(issuer.token(kid="k9")), 503, "SERVICE_UNAVAILABLE")
    assert not issuer.may_answer.is_set()
