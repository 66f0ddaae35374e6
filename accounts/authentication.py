"""Bearer tokens: which user sends a request, and with which scopes. One query for each request."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, UUIDField
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from todo_project.db.compiled import CompiledQuery
from todo_project.db.distribution import is_distributed
from todo_project.db.user_annotations import USER_ANNOTATIONS

from . import identities, tokens
from .errors import InsufficientScope, InvalidToken
from .models import COLUMNS, PersonalToken, User
from .scopes import ALL


@dataclass(frozen=True)
class Credential:
    """What `request.auth` holds."""

    scopes: frozenset[str]
    session: uuid.UUID | None = None
    issued_at: int | None = None
    personal_token: PersonalToken | None = None

    def require(self, *scopes: str) -> None:
        for scope in scopes:
            if scope not in self.scopes:
                raise InsufficientScope(scope)


class SignedInRequest(Request):
    """The type of a request that HasScope has let through."""

    user: User
    auth: Credential


class BearerAuthentication(BaseAuthentication):
    """Accepts our access tokens, personal access tokens and tokens of identity providers."""

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token.isascii() or " " in token or not token:
            raise InvalidToken("Send the token as 'Authorization: Bearer <token>'.")
        if token.startswith(tokens.PERSONAL_PREFIX):
            return authenticate_personal_token(token)
        if tokens.is_ours(token):
            return authenticate_access_token(token)
        return authenticate_external_token(token)


def authenticate_access_token(token: str) -> tuple[User, Credential]:
    now = timezone.now()
    claims = tokens.read_access_token(token, at=now)
    found = USER_IN_SESSION(user=claims.user, session=claims.session, at=now)
    if not found:
        raise InvalidToken
    (row,) = found
    user = User.from_db(connection.alias, COLUMNS, row[: len(COLUMNS)])
    set_annotations(user, row[len(COLUMNS) :])
    return user, Credential(claims.scopes, claims.session, claims.issued_at)


USER_IN_SESSION = CompiledQuery(
    lambda user, session, at: (
        User.objects.in_session(session, at=at)
        .filter(pk=user)
        .with_annotations()
        .values_list(*COLUMNS, *USER_ANNOTATIONS)
    ),
    user=UUIDField(),
    session=UUIDField(),
    at=DateTimeField(),
)


def set_annotations(user: User, values: Iterable[Any]) -> None:
    for name, value in zip(USER_ANNOTATIONS, values, strict=True):
        setattr(user, name, value)


def authenticate_personal_token(token: str) -> tuple[User, Credential]:
    now = timezone.now()
    live = PersonalToken.objects.live(at=now).filter(hash=tokens.digest(token), user__is_active=True)
    if is_distributed():  # One query would read the clocks of all users.
        found = live.select_related("user").first()
        annotated = found and with_annotations(found.user_id)
    else:
        annotated = found = live.with_user().first()
    if found is None or annotated is None:
        raise InvalidToken
    found.record_use(at=now)
    set_annotations(found.user, (getattr(annotated, name) for name in USER_ANNOTATIONS))
    return found.user, Credential(frozenset(found.scopes), personal_token=found)


def with_annotations(user_id: uuid.UUID) -> User | None:
    user: User | None = User.objects.with_annotations().filter(pk=user_id).first()
    return user


def authenticate_external_token(token: str) -> tuple[User, Credential]:
    claims = identities.verify(token)
    issuer, subject = claims["iss"], claims["sub"]
    user = find_user(issuer, subject)
    if user is None:
        identities.create_user_for(claims)
        user = find_user(issuer, subject)  # With its annotations, and whichever request has created it.
    if user is None or not user.is_active:
        raise InvalidToken
    return user, Credential(ALL, issued_at=int(claims["iat"]))


def find_user(issuer: str, subject: str) -> User | None:
    known = User.objects.with_identity(issuer=issuer, subject=subject)
    if is_distributed():
        user_id = known.values_list("pk", flat=True).first()
        return user_id and with_annotations(user_id)
    user: User | None = known.with_annotations().first()
    return user
