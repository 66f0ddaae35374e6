"""Alice and Bob are signed in; what they send and get is HTTP."""

from typing import Any

import pytest

from tests.support.caller import Caller, signed_in
from tests.support.tasks import create_task


@pytest.fixture
def as_alice(alice: Any) -> Caller:
    return signed_in(alice)


@pytest.fixture
def as_bob(bob: Any) -> Caller:
    return signed_in(bob)


@pytest.fixture
def task(as_alice: Caller) -> dict[str, Any]:
    """A task of Alice's."""
    return create_task(as_alice)
