"""Alice and Bob are signed in; what they send and get is HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import tokens
from accounts.models import Session
from accounts.scopes import ALL
from accounts.tests.conftest import Caller


def signed_in(user: Any) -> Caller:
    now = timezone.now()
    session = Session.objects.create(user=user, expires_at=now + timedelta(days=1))
    return Caller(tokens.new_access_token(user.pk, session.pk, sorted(ALL), at=now))


@pytest.fixture
def as_alice(alice: Any) -> Caller:
    return signed_in(alice)


@pytest.fixture
def as_bob(bob: Any) -> Caller:
    return signed_in(bob)


def made(caller: Caller, title: str = "milk", **fields: Any) -> dict[str, Any]:
    """A new task of this caller, as it was answered."""
    response = caller("post", "/tasks", {"title": title, **fields})
    assert response.status_code == 201, response.content
    answer: dict[str, Any] = response.json()
    return answer


def trashed(caller: Caller, **fields: Any) -> dict[str, Any]:
    """A task that was made and moved to the trash."""
    answer: dict[str, Any] = caller("delete", f"/tasks/{made(caller, **fields)['id']}").json()
    return answer


@pytest.fixture
def task(as_alice: Caller) -> dict[str, Any]:
    """A task of Alice's."""
    return made(as_alice)
