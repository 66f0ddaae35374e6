"""A client that speaks JSON over HTTP, and ways to sign in."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from accounts import tokens
from accounts.models import Session
from accounts.scopes import ALL

from .client import Client

API = "/api/v1"
PASSWORD = "correct horse battery"
UNKNOWN_ID = "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52"


password_hash = cache(make_password)
"""Slow on purpose, so made once."""


@dataclass
class Caller:
    """A client that speaks JSON, with a bearer token or none. A body of bytes is sent as it is."""

    token: str | None = None

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        return Client().generic(method.upper(), API + path, content, "application/json", headers=headers)


def pages(caller: Caller, path: str) -> Iterator[list[dict[str, Any]]]:
    """The results of each page of a list, following `next` to the end."""
    for _ in range(100):
        response = caller("get", path)
        assert response.status_code == 200, response.content
        yield response.json()["results"]
        if response.json()["next"] is None:
            return
        path = response.json()["next"].partition(API)[2]
    raise AssertionError(f"More than 100 pages at {path}")


def sign_in(email: str = "alice@example.com", password: str = PASSWORD, **headers: str) -> Any:
    return Caller()("post", "/auth/token", {"email": email, "password": password}, **headers)


def signed_in(user: Any) -> Caller:
    now = timezone.now()
    session = Session.objects.create(user=user, expires_at=now + timedelta(days=1))
    return Caller(tokens.new_access_token(user.pk, session.pk, sorted(ALL), at=now))


def download_export(caller: Caller) -> tuple[Any, bytes]:
    response = caller("get", "/me/export")
    return response, b"".join(response.streaming_content)
