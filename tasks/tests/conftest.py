from typing import Any

import pytest

from tests.support.caller import Caller
from tests.support.tasks import create_task


@pytest.fixture
def task(as_alice: Caller) -> dict[str, Any]:
    """A task of Alice's."""
    return create_task(as_alice)
