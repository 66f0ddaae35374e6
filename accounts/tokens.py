"""Creating and verifying tokens. Cryptography only: whether a token was revoked is in the database."""

import base64
import hashlib
import re
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import jwt
import orjson
from django.conf import settings
from django.core import signing
from django.utils.crypto import salted_hmac

from todo_project.config.issuers import OWN_ISSUER, Issuer

from .errors import InvalidToken, TokenExpired

AUDIENCE = "todo-api"
ALGORITHM = "HS256"
REQUIRED = ["exp", "iat", "sub", "iss", "aud"]
TIMES = ["exp", "iat", "nbf"]
PERSONAL_PREFIX = "pat_"
MAX_LENGTH = 8192
LEEWAY = 5
"""Seconds by which the clock of an identity provider may differ."""


@dataclass(frozen=True)
class AccessClaims:
    user: uuid.UUID
    session: uuid.UUID
    scopes: frozenset[str]
    issued_at: int
    expires_at: int


def new_access_token(user: uuid.UUID, session: uuid.UUID, scopes: list[str], *, at: datetime) -> str:
    issued = int(at.timestamp())
    claims = {
        "iss": OWN_ISSUER,
        "aud": AUDIENCE,
        "sub": str(user),
        "sid": str(session),
        "iat": issued,
        "exp": issued + int(settings.ACCESS_TOKEN_LIFETIME.total_seconds()),
        "scope": " ".join(scopes),
    }
    return jwt.encode(claims, _keys()[0], algorithm=ALGORITHM)


def read_access_token(token: str, *, at: datetime) -> AccessClaims:
    claims = _read_access_token(token, _keys())
    if claims.expires_at <= at.timestamp():
        raise TokenExpired
    return claims


@lru_cache(maxsize=4096)
def _read_access_token(token: str, keys: tuple[bytes, ...]) -> AccessClaims:
    """Cached, because a client sends one token many times and the result depends on nothing else."""
    claims = _decode(
        token, keys, [ALGORITHM], audience=[AUDIENCE], issuer=OWN_ISSUER, required=[*REQUIRED, "sid", "scope"]
    )
    try:
        return AccessClaims(
            uuid.UUID(claims["sub"]),
            uuid.UUID(claims["sid"]),
            frozenset(claims["scope"].split()),
            int(claims["iat"]),
            int(claims["exp"]),
        )
    except (ValueError, AttributeError) as error:
        raise InvalidToken from error


def read_external_token(token: str, issuer: Issuer, key: Any) -> dict[str, Any]:
    """The verified claims of an identity provider's token."""
    claims = _decode(
        token,
        [key],
        list(issuer.algorithms),
        audience=issuer.audience,
        issuer=issuer.issuer,
        required=REQUIRED,
        leeway=LEEWAY,
    )
    # PyJWT converts times, so it accepts texts and booleans.
    if any(type(claims.get(name, 0)) not in (int, float) for name in TIMES):
        raise InvalidToken
    if not is_storable(claims["sub"]) or not 1 <= len(claims["sub"]) <= 255:
        raise InvalidToken
    return claims


def is_ours(token: str) -> bool:
    """Whether the token claims to be ours. Verifies nothing; cheaper than peek(), as nearly all are ours."""
    if len(token) > MAX_LENGTH:
        return False
    try:
        payload = base64.urlsafe_b64decode(token.split(".")[1] + "==")
        return bool(orjson.loads(payload)["iss"] == OWN_ISSUER)
    except (IndexError, KeyError, TypeError, ValueError):
        return False


def peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The unverified header and claims, to find the issuer."""
    if len(token) > MAX_LENGTH:
        raise InvalidToken
    try:
        decoded = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise InvalidToken from error
    return decoded["header"], decoded["payload"]


def _decode(
    token: str,
    keys: Iterable[Any],
    algorithms: list[str],
    *,
    audience: Any,
    issuer: str,
    required: list[str],
    leeway: int = 0,
) -> dict[str, Any]:
    """jwt.decode with the first key that fits; translates every exception that hostile claims can cause."""
    for key in keys:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=algorithms,
                audience=audience,
                issuer=issuer,
                leeway=leeway,
                # PyJWT accepts a token without exp, which would never expire, unless exp is required.
                options={"require": required},
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise InvalidToken from error
    raise InvalidToken


def _keys() -> tuple[bytes, ...]:
    """The signing key, followed by the keys of rotated secrets, which only verify."""
    return tuple(_key(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=8)
def _key(secret: str) -> bytes:
    return salted_hmac("accounts.access-token", "key", secret=secret, algorithm="sha256").digest()


def is_storable(text: Any) -> bool:
    """PostgreSQL can store neither NUL nor unpaired surrogates."""
    return isinstance(text, str) and not re.search("[\0\ud800-\udfff]", text)


# Opaque tokens. They are random enough for a fast hash to be safe.


def new_personal_token() -> str:
    return PERSONAL_PREFIX + secrets.token_urlsafe(32)


def new_refresh_token(session: uuid.UUID, *, generation: int) -> str:
    """Random, and signed with its generation, so that a reused token is recognised without storing it."""
    return _refresh_signer().sign(f"{session.hex}.{generation}.{secrets.token_urlsafe(32)}")


def read_refresh_token(token: str) -> tuple[uuid.UUID, int]:
    """Its session and generation; a forged token never reaches the database."""
    try:
        session, generation, _ = _refresh_signer().unsign(token).split(".")
        return uuid.UUID(session), int(generation)
    except (signing.BadSignature, ValueError) as error:
        raise InvalidToken("This refresh token is invalid. Sign in again.") from error


def _refresh_signer() -> signing.Signer:
    return signing.Signer(salt="accounts.refresh-token", sep="~")


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
