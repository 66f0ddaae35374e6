"""Alice has a password and is signed in over HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from accounts import jwks
from tests.support.caller import PASSWORD, Caller, sign_in
from tests.support.issuer import SECRET, Issuer
from todo_project.config import issuers

BACKEND = {"issuer": "backend", "audience": ["todo", "other"], "algorithms": ["HS256"], "secret": SECRET}


@pytest.fixture
def anyone(db: None) -> Caller:
    """A caller without credentials."""
    return Caller()


@pytest.fixture
def alice(alice: Any) -> Any:
    alice.set_password(PASSWORD)
    alice.save()
    return alice


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


@pytest.fixture
def pair(alice: Any) -> dict[str, Any]:
    """Alice's access and refresh token."""
    answer: dict[str, Any] = sign_in().json()
    return answer


@pytest.fixture
def as_alice(pair: dict[str, Any]) -> Caller:
    return Caller(pair["access"])


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
