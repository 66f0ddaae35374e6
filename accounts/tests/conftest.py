"""Alice has a password and is signed in; what she sends and gets is HTTP."""

from typing import Any

import pytest
from django.core.cache import cache

from tests.support.caller import PASSWORD, Caller, sign_in


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
