from collections.abc import Iterator
from typing import Any

import pytest

from tasks.ledger import views
from tasks.ledger.counts import recount
from tests.support import library as library_module
from tests.support.caller import Caller
from tests.support.tasks import create_task
from todo_project.db import counting


@pytest.fixture(autouse=True)
def exact_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No table is sampled, although it has the empty pages of rows that other tests rolled back."""
    monkeypatch.setattr(counting, "MAX_PAGES", 1_000_000)


@pytest.fixture
def task(as_alice: Caller) -> dict[str, Any]:
    """A task of Alice's."""
    return create_task(as_alice)


@pytest.fixture(params=["one statement", "a transaction"])
def each_way_of_writing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes of one object that need one statement on PostgreSQL also take a transaction, as on SQLite."""
    if request.param == "a transaction":
        monkeypatch.setattr(views, "perform_in_one_statement", lambda *args: None)


@pytest.fixture
def counts_are_compared(db: None) -> Iterator[None]:
    """At the end, the counts on the clocks must equal the rows."""
    yield
    assert not any(recount(repair=False))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Books and shelves are kinds of objects until the test ends."""
    library_module.register(monkeypatch)
    settings.ROOT_URLCONF = library_module.__name__
