"""Alice has a password and is signed in; what she sends and gets is HTTP."""

import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.test.client import ClientHandler

API = "/api/v1"
PASSWORD = "correct horse battery"


@dataclass
class Caller:
    """A client that speaks JSON, with a bearer token or none."""

    token: str | None = None
    handler: ClientHandler = field(default_factory=partial(ClientHandler, enforce_csrf_checks=False))
    """Kept, because each new one builds all of the middleware."""

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        client = Client(raise_request_exception=False)
        client.handler = self.handler
        content = b"" if body is None else json.dumps(body)
        return client.generic(method.upper(), API + path, content, "application/json", headers=headers)


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


def sign_in(email: str = "alice@example.com", password: str = PASSWORD, **headers: str) -> Any:
    return Caller()("post", "/auth/token", {"email": email, "password": password}, **headers)


@pytest.fixture
def pair(alice: Any) -> dict[str, Any]:
    """Alice's access and refresh token."""
    answer: dict[str, Any] = sign_in().json()
    return answer


@pytest.fixture
def as_alice(pair: dict[str, Any]) -> Caller:
    return Caller(pair["access"])
