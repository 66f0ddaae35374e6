"""Ways to sign in, and credentials of two users."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from accounts import jwks, tokens
from accounts.models import FailedLogin, Identity, PersonalToken, Session
from tests.support.caller import Caller, sign_in
from tests.support.issuer import SECRET, Issuer
from todo_project.config import issuers

BACKEND = {"issuer": "backend", "audience": ["todo", "other"], "algorithms": ["HS256"], "secret": SECRET}


@pytest.fixture
def anyone(db: None) -> Caller:
    """A caller without credentials."""
    return Caller()


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


@pytest.fixture
def pair(alice: Any) -> dict[str, Any]:
    """Alice's access and refresh token."""
    answer: dict[str, Any] = sign_in().json()
    return answer


@pytest.fixture
def credentials(alice: Any, bob: Any, pair: dict[str, Any]) -> None:
    """A session, a token, an identity and a failed login, each of Alice and of Bob."""
    now = timezone.now()
    for user in (alice, bob):
        name = user.name
        common = {"user": user, "expires_at": now + timedelta(days=1)}
        if user == bob:
            Session.objects.create(**common, user_agent="Bob's phone", address="198.51.100.7")
        PersonalToken.objects.create(
            **common, name=f"{name}'s script", hash=tokens.digest(name), scopes=["account"]
        )
        Identity.objects.create(user=user, issuer="https://issuer.example", subject=f"{name} there")
        FailedLogin.objects.create(email=user.email, address="198.51.100.7", at=now)


@pytest.fixture
def trusted_backend(settings: Any) -> None:
    """An issuer "backend" that shares a secret with this server."""
    trust(settings, BACKEND)


@pytest.fixture
def issuer(settings: Any, db: None) -> Iterator[Issuer]:
    """An issuer with a key server, trusted beside "backend"."""
    server = Issuer()
    trust(settings, server.registered, BACKEND)
    jwks._cached_keys.cache_clear()
    yield server
    server.close()


def trust(settings: Any, *registered: dict[str, Any]) -> None:
    settings.TRUSTED_ISSUERS = issuers.parse(json.dumps(registered))
