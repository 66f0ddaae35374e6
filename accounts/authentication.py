"""The one place that looks at a token. One query tells who is asking and whether they still may."""

import uuid
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from todo_project.database_errors import violates
from todo_project.errors import Forbidden
from todo_project.issuers import OURS

from . import jwks, tokens
from .errors import InvalidToken
from .models import Identity, PersonalToken, User
from .scopes import ALL


@dataclass(frozen=True)
class Credential:
    """What came with a request, as `request.auth`."""

    scopes: frozenset[str]
    session: uuid.UUID | None = None
    issued_at: int | None = None


class SignedInRequest(Request):
    """What a request is behind HasScope, for the types."""

    user: User
    auth: Credential


class BearerAuthentication(BaseAuthentication):
    """An access token of ours, a personal access token, or a token of an outside issuer."""

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token.isascii() or " " in token or not token:
            raise InvalidToken("Send the token as 'Authorization: Bearer …'.")
        if token.startswith(tokens.PERSONAL_PREFIX):
            return by_personal_token(token)
        header_told, claims = tokens.peek(token)
        if claims.get("iss") == OURS:
            return by_access_token(token)
        return by_outside_token(token, header_told, claims)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def by_access_token(token: str) -> tuple[User, Credential]:
    claims = tokens.read_access_token(token)
    in_session = User.objects.in_session(claims.session, at=timezone.now())
    user = in_session.filter(pk=claims.user).with_what_is_needed().first()
    if user is None:
        raise InvalidToken
    return user, Credential(claims.scopes, claims.session, claims.issued_at)


def by_personal_token(token: str) -> tuple[User, Credential]:
    now = timezone.now()
    found = (
        PersonalToken.objects.live(at=now)
        .filter(hash=tokens.digest(token), user__is_active=True)
        .with_user()
        .first()
    )
    if found is None:
        raise InvalidToken
    found.touch(at=now)
    return found.user, Credential(frozenset(found.scopes))


def by_outside_token(token: str, header: dict[str, Any], told: dict[str, Any]) -> tuple[User, Credential]:
    claims = read_outside_token(token, header, told)
    issuer, subject = claims["iss"], claims["sub"]
    known = User.objects.known_as(issuer=issuer, subject=subject).with_what_is_needed().first()
    user = known or welcome(claims)
    if not user.is_active:
        raise InvalidToken
    return user, Credential(ALL, issued_at=int(claims["iat"]))


def read_outside_token(token: str, header: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Its claims, proven by its issuer. One that is not in the registry costs nothing but this look-up."""
    named = told.get("iss")
    issuer = settings.TRUSTED_ISSUERS.get(named) if isinstance(named, str) else None
    if issuer is None or header.get("alg") not in issuer.algorithms:
        raise InvalidToken
    claims = tokens.read_outside_token(token, issuer, jwks.key_for(issuer, header))
    if claims.get("banned") is True:
        raise Forbidden("Your account is banned where you signed in.")
    return claims


def welcome(claims: dict[str, Any]) -> User:
    """Make an account for an identity that comes for the first time; of parallel firsts one makes it."""
    issuer, subject = claims["iss"], claims["sub"]
    try:
        with transaction.atomic():
            user = User.objects.create_user(None, name=text_claim(claims, "name", 150))
            Identity.objects.create(
                user=user, issuer=issuer, subject=subject, email=text_claim(claims, "email", 254)
            )
            return user
    except IntegrityError as error:
        if not violates(error, "identity_once"):
            raise
        return cast(User, User.objects.known_as(issuer=issuer, subject=subject).get())


def text_claim(claims: dict[str, Any], name: str, longest: int) -> str:
    value = claims.get(name)
    return value[:longest] if isinstance(value, str) and tokens.is_storable(value) else ""
