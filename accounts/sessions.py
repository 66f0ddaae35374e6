"""Signing in, going on and leaving: the verbs on sessions."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from rest_framework.request import Request

from todo_project.api.addresses import client_address

from . import login_guard, tokens
from .errors import InvalidToken, TokenReused
from .models import Session, User
from .scopes import ALL

GRACE = timedelta(seconds=10)
"""How long a token that was just replaced is taken for a lost race and not for a theft."""


def sign_in(user: User, request: Request, *, at: datetime) -> dict[str, Any]:
    address = client_address(request._request)
    login_guard.clear_failures(user, address)
    session, refresh = Session.start(
        user, at=at, user_agent=printable(request.headers.get("User-Agent", "")), address=address
    )
    return pair(user.pk, session.pk, refresh, at=at)


def refresh(token: str, *, at: datetime) -> dict[str, Any]:
    """Exchange a refresh token for the next pair. Of many callers with the same token one succeeds.

    The others are told so. If it was replaced longer ago than a lost race explains, somebody has a copy:
    then the session ends, for the thief and for the owner, who signs in again.
    """
    session_id, generation = tokens.read_refresh_token(token)
    following = tokens.new_refresh_token(session_id, generation=generation + 1)
    # The hash is compared on the row itself. A join with the user would put it into a subquery, and who had
    # waited for the row's lock would find that the subquery, as of before, still names the row.
    replaced = (
        Session.objects.live(at=at)
        .filter(pk=session_id, refresh_hash=tokens.digest(token), user__in=User.objects.active())
        .update(
            refresh_hash=tokens.digest(following),
            generation=F("generation") + 1,
            last_used_at=at,
            expires_at=at + settings.REFRESH_TOKEN_LIFETIME,
        )
    )
    session = Session.objects.filter(pk=session_id).first()
    if replaced and session:
        return pair(session.user_id, session_id, following, at=at)
    if session is None or session.generation == generation:
        raise InvalidToken("This session has ended. Sign in again.")
    lost_race = session.generation == generation + 1 and session.last_used_at > timezone.now() - GRACE
    if not lost_race:
        Session.objects.filter(pk=session_id).end(at=at)
    raise TokenReused


def pair(user_id: uuid.UUID, session_id: uuid.UUID, refresh: str, *, at: datetime) -> dict[str, Any]:
    return {
        "access": tokens.new_access_token(user_id, session_id, sorted(ALL), at=at),
        "refresh": refresh,
        "token_type": "Bearer",
        "expires_in": int(settings.ACCESS_TOKEN_LIFETIME.total_seconds()),
    }


def printable(text: str) -> str:
    return "".join(one for one in text if one.isprintable())
