"""Forged and invalid access tokens are 401 and cause no query."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import tokens
from tests.support.assertions import assert_error
from tests.support.caller import Caller
from tests.support.issuer import AUDIENCE, SECRET, private_key
from todo_project.config import issuers

pytestmark = pytest.mark.any_database

OUTSIDE = "https://issuer.example.com"
FAR_FUTURE = 4_000_000_000


def ours(*, key: Any = None, algorithm: str = "HS256", headers: Any = None, **changes: Any) -> str:
    """An access token with changed claims; None removes a claim."""
    now = int(time.time())
    content = {
        "iss": "todo", "aud": "todo-api", "sub": str(uuid.uuid4()), "sid": str(uuid.uuid4()),
        "iat": now, "exp": now + 900, "scope": "account", **changes,
    }  # fmt: skip
    payload = json.dumps({name: value for name, value in content.items() if value is not None}).encode()
    return jwt.api_jws.encode(payload, key or tokens._keys()[0], algorithm, headers=headers)


def b64(data):
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unsigned(header, payload=None):
    return f"{b64(header)}.{b64(payload or {'iss': 'todo'})}."


def tampered(part):
    pieces = ours().split(".")
    pieces[part] = ("A" if pieces[part][5] != "A" else "B").join([pieces[part][:5], pieces[part][6:]])
    return ".".join(pieces)


def raw_payload(payload):
    return jwt.api_jws.encode(payload, tokens._keys()[0], "HS256")


def public_pem():
    public = private_key("ES256", "k1").public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def confused():
    """Signed by HS256 with the issuer's public key as the secret."""
    head, body = b64({"alg": "HS256", "kid": "k1"}), b64({"iss": OUTSIDE, "aud": AUDIENCE})
    signature = hmac.new(public_pem(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{b64(signature)}"


WRONG_CLAIMS: list[dict[str, Any]] = [
    *({claim: None} for claim in ("exp", "iat", "sub", "iss", "aud", "sid", "scope")),
    {"aud": "other"}, {"aud": ["a", "b"]}, {"aud": 7}, {"iss": "https://evil.example"}, {"iss": 7},
    {"iss": ["todo"]}, {"exp": "tomorrow"}, {"exp": float("inf")}, {"exp": float("nan")}, {"exp": [1]},
    {"iat": FAR_FUTURE}, {"iat": float("inf")}, {"nbf": FAR_FUTURE},
    {"sub": "alice"}, {"sub": 7}, {"sid": "x"}, {"sid": 7}, {"scope": ["account"]},
]  # fmt: skip
FORGED: dict[str, Callable[[], str]] = {
    "alg none": lambda: unsigned({"alg": "none"}),
    "alg None": lambda: unsigned({"alg": "None"}),
    "alg NONE": lambda: unsigned({"alg": "NONE"}),
    "no alg": lambda: unsigned({"typ": "JWT"}),
    "alg a number": lambda: unsigned({"alg": 7}),
    "an unsigned copy": lambda: ours().rpartition(".")[0] + ".",
    "another key": lambda: ours(key="x" * 40),
    "our claims with an outside secret": lambda: ours(key=SECRET),
    "another algorithm": lambda: ours(key=tokens._keys()[0] * 2, algorithm="HS512"),
    "a public key as the secret": confused,
    "a tampered header": lambda: tampered(0),
    "a tampered payload": lambda: tampered(1),
    "a tampered signature": lambda: tampered(2),
    **{str(claims): partial(ours, **claims) for claims in WRONG_CLAIMS},
    "an unknown critical header": lambda: ours(headers={"crit": ["x"], "x": 1}),
    "a key in the header": lambda: ours(key="x" * 40, headers={"jwk": {"kty": "oct", "k": b64(b"x" * 40)}}),
    "a key's address in the header": lambda: ours(key="x" * 40, headers={"jku": "http://127.0.0.1:1/"}),
    "kid a path": lambda: ours(key="x" * 40, headers={"kid": "../../dev/null"}),
    "kid a number": lambda: unsigned({"alg": "HS256", "kid": 7}),
    "a payload nested too deep": lambda: raw_payload(b"[" * 5000),
    "a payload that is a list": lambda: raw_payload(b"[]"),
    "a payload that is no JSON": lambda: raw_payload(b"x"),
    "a header that is a list": lambda: f"{b64([])}.{b64({})}.x",
    "a header nested too deep": lambda: f"{b64(b'[' * 5000)}.{b64({})}.x",
    "two parts": lambda: "a.b",
    "five parts": lambda: "a.b.c.d.e",
    "only dots": lambda: "..",
    "no base64": lambda: "!.!.!",
    "text": lambda: "x",
    "very long": lambda: "x" * 8193,
    "a long token": lambda: ours(name="x" * 8000),
    "a control character": lambda: "a\x01b",
    "beyond ASCII": lambda: "é.é.é",
    "two tokens": lambda: "a.b.c, Bearer d.e.f",
    "two words": lambda: "a.b.c d.e.f",
    "a refresh token": lambda: tokens.new_refresh_token(uuid.uuid4(), generation=1),
}  # fmt: skip


@pytest.fixture(autouse=True)
def trusted_issuer(settings, db):
    public = {
        "issuer": OUTSIDE,
        "audience": AUDIENCE,
        "algorithms": ["ES256"],
        "jwks_url": "http://127.0.0.1:1/jwks",
    }
    settings.TRUSTED_ISSUERS = issuers.parse(json.dumps([public]))


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_401_without_a_query(forge, caplog):
    caller = Caller(forge())

    with CaptureQueriesContext(connection) as queries:
        response = caller("get", "/me")

    assert_error(response, 401, "INVALID_TOKEN")
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
    assert queries.captured_queries == []
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("seconds", [0, 1, 86400])
def test_an_expired_token_has_its_own_code(seconds):
    token = ours(exp=int(time.time()) - seconds)

    with CaptureQueriesContext(connection) as queries:
        assert_error(Caller(token)("get", "/me"), 401, "TOKEN_EXPIRED")
    assert queries.captured_queries == []


@pytest.mark.parametrize(
    "header", ["Basic YWxpY2U6eA==", "Bearer", "Bearer ", "bearer", "Token x", "x", "", " "]
)
def test_a_header_without_a_bearer_token_is_401(header):
    response = Caller()("get", "/me", Authorization=header)

    code = response.json()["error"]["code"]
    assert_error(response, 401, code)
    assert code in {"INVALID_TOKEN", "NOT_AUTHENTICATED"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_case_insensitive(pair, scheme):
    assert Caller()("get", "/me", Authorization=f"{scheme} {pair['access']}").status_code == 200


def test_a_token_of_an_unknown_session_is_401():
    assert_error(Caller(ours())("get", "/me"), 401, "INVALID_TOKEN")


def test_a_token_for_the_session_of_another_user_is_401(pair, bob):
    claims = jwt.decode(pair["access"], options={"verify_signature": False})

    assert_error(Caller(ours(**{**claims, "sub": str(bob.pk)}))("get", "/me"), 401, "INVALID_TOKEN")


def test_a_token_signed_with_a_rotated_key_is_valid_while_the_key_is_a_fallback(pair, settings):
    old = django_settings.SECRET_KEY
    settings.SECRET_KEY = "a new secret key that is long enough for every check of it"
    settings.SECRET_KEY_FALLBACKS = [old]
    assert Caller(pair["access"])("get", "/me").status_code == 200

    settings.SECRET_KEY_FALLBACKS = []
    assert_error(Caller(pair["access"])("get", "/me"), 401, "INVALID_TOKEN")
