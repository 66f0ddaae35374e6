"""How tokens are made and read. Cryptography only: what a token still allows, the database says."""

import base64
import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import jwt
import orjson
from django.conf import settings
from django.core import signing
from django.utils.crypto import salted_hmac

from todo_project.config.issuers import OURS, Issuer

from .errors import InvalidToken, TokenExpired

AUDIENCE = "todo-api"
ALGORITHM = "HS256"
REQUIRED = ["exp", "iat", "sub", "iss", "aud"]
PERSONAL_PREFIX = "pat_"
LONGEST = 8192
LEEWAY = 5
"""Seconds by which an outside issuer's clock may differ from ours."""


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
        "iss": OURS,
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
    """A client sends one token many times; what its signature proves does not change until it expires."""
    for key in keys:
        try:
            claims = _decode(
                token, key, [ALGORITHM], audience=[AUDIENCE], issuer=OURS, extra=["sid", "scope"]
            )
            return AccessClaims(
                uuid.UUID(claims["sub"]),
                uuid.UUID(claims["sid"]),
                frozenset(claims["scope"].split()),
                int(claims["iat"]),
                int(claims["exp"]),
            )
        except jwt.InvalidSignatureError:
            continue
        except (ValueError, AttributeError) as error:
            raise InvalidToken from error
    raise InvalidToken


def read_outside_token(token: str, issuer: Issuer, key: Any) -> dict[str, Any]:
    """The verified claims of an outside issuer's token."""
    try:
        claims = _decode(
            token, key, list(issuer.algorithms), audience=issuer.audience, issuer=issuer.issuer, leeway=LEEWAY
        )
    except jwt.InvalidSignatureError as error:
        raise InvalidToken from error
    if not is_storable(claims["sub"]) or not 1 <= len(claims["sub"]) <= 255:
        raise InvalidToken
    return claims


def is_ours(token: str) -> bool:
    """Whether it says so, as nearly every token does; told more cheaply than by peek(). Nothing is proven."""
    if len(token) > LONGEST:
        return False
    try:
        payload = base64.urlsafe_b64decode(token.split(".")[1] + "==")
        return bool(orjson.loads(payload)["iss"] == OURS)
    except (IndexError, KeyError, TypeError, ValueError):
        return False


def peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims as the token tells them, to know whom to ask. Nothing of it is proven."""
    if len(token) > LONGEST:
        raise InvalidToken
    try:
        told = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise InvalidToken from error
    return told["header"], told["payload"]


def _decode(
    token: str,
    key: Any,
    algorithms: list[str],
    *,
    audience: Any,
    issuer: str,
    extra: list[str] = [],  # noqa: B006  (never changed)
    leeway: int = 0,
) -> dict[str, Any]:
    """PyJWT, with every way in which it fails on hostile claims made one of ours."""
    try:
        return jwt.decode(
            token,
            key,
            algorithms=algorithms,
            audience=audience,
            issuer=issuer,
            leeway=leeway,
            # A claim that is not required may be absent: a token without exp would be good for ever.
            options={"require": [*REQUIRED, *extra]},
        )
    except jwt.ExpiredSignatureError as error:
        raise TokenExpired from error
    except jwt.InvalidSignatureError:
        raise
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidToken from error


def _keys() -> tuple[bytes, ...]:
    """The signing key, and those of rotated secrets that may still verify."""
    return tuple(_key(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=8)
def _key(secret: str) -> bytes:
    return salted_hmac("accounts.access-token", "key", secret=secret, algorithm="sha256").digest()


def is_storable(text: Any) -> bool:
    """PostgreSQL keeps neither NUL nor half a surrogate pair."""
    return isinstance(text, str) and "\0" not in text and not any("\ud800" <= one <= "\udfff" for one in text)


# Opaque tokens. They carry enough randomness that a fast hash is safe to keep.


def new_personal_token() -> str:
    return PERSONAL_PREFIX + secrets.token_urlsafe(32)


def new_refresh_token(session: uuid.UUID, *, generation: int) -> str:
    """Random, and signed with its place in its family: so an old one is known without keeping them all."""
    return _refresh_signer().sign(f"{session.hex}.{generation}.{secrets.token_urlsafe(32)}")


def read_refresh_token(token: str) -> tuple[uuid.UUID, int]:
    """The session it belongs to, and its place; a forged one never reaches the database."""
    try:
        session, generation, _ = _refresh_signer().unsign(token).split(".")
        return uuid.UUID(session), int(generation)
    except (signing.BadSignature, ValueError) as error:
        raise InvalidToken("This refresh token is not valid. Sign in again.") from error


def _refresh_signer() -> signing.Signer:
    return signing.Signer(salt="accounts.refresh-token", sep="~")


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
