from typing import Any

import pytest

from tests.support import library as library_module
from tests.support.caller import Caller
from tests.support.tasks import create_task


@pytest.fixture
def task(as_alice: Caller) -> dict[str, Any]:
    """A task of Alice's."""
    return create_task(as_alice)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Books and shelves are kinds of objects until the test ends."""
    library_module.register(monkeypatch)
    settings.ROOT_URLCONF = library_module.__name__
