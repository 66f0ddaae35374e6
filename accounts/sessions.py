"""Signing in, and refreshing the tokens of a session."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from rest_framework.request import Request

from todo_project.api.addresses import client_address
from todo_project.db.compiled import execute_all, insert_statement

from . import login_guard, tokens
from .errors import InvalidToken, PasswordHasChanged, TokenReused
from .models import Session, User
from .scopes import ALL

REUSE_GRACE = timedelta(seconds=10)
"""A token reused within this time after its replacement lost a race; later it counts as stolen."""


def sign_in(user: User, request: Request, *, at: datetime) -> dict[str, Any]:
    address = client_address(request._request)
    session, refresh = Session.new(
        user, at=at, user_agent=printable(request.headers.get("User-Agent", "")), address=address
    )
    stored = execute_all(
        login_guard.forget_failures(user, address),
        insert_statement(session),
        user.sign_in_statement(at=at),
    )
    if not stored:
        raise PasswordHasChanged
    Session.end_oldest(user, at=at)
    return token_pair(user.pk, session.pk, refresh, at=at)


def refresh(token: str, *, at: datetime) -> dict[str, Any]:
    """Exchange a refresh token for the next pair. Of parallel requests with one token, one succeeds.

    The others get TokenReused. If the token was replaced longer ago than a race explains, somebody has a
    copy of it, so the session ends.
    """
    session_id, generation = tokens.read_refresh_token(token)
    next_token = tokens.new_refresh_token(session_id, generation=generation + 1)
    # Compare the hash on the row itself. A join with the user would move it into a subquery, and PostgreSQL
    # does not evaluate that again for a request that has waited for the row's lock.
    updated = (
        Session.objects.live(at=at)
        .filter(pk=session_id, refresh_hash=tokens.digest(token), user__in=User.objects.active())
        .update(
            refresh_hash=tokens.digest(next_token),
            generation=F("generation") + 1,
            last_used_at=at,
            expires_at=at + settings.REFRESH_TOKEN_LIFETIME,
        )
    )
    session = Session.objects.filter(pk=session_id).first()
    if updated and session:
        return token_pair(session.user_id, session_id, next_token, at=at)
    if session is None or session.generation == generation:
        raise InvalidToken("This session has ended. Sign in again.")
    lost_race = session.generation == generation + 1 and session.last_used_at > timezone.now() - REUSE_GRACE
    if not lost_race:
        Session.objects.filter(pk=session_id).end(at=at)
    raise TokenReused


def token_pair(user_id: uuid.UUID, session_id: uuid.UUID, refresh: str, *, at: datetime) -> dict[str, Any]:
    return {
        "access": tokens.new_access_token(user_id, session_id, sorted(ALL), at=at),
        "refresh": refresh,
        "token_type": "Bearer",
        "expires_in": int(settings.ACCESS_TOKEN_LIFETIME.total_seconds()),
    }


def printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())
