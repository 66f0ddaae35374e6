"""The time of a search is bounded, because short words and frequent ones are not served by an index."""

import dataclasses

import pytest

from tasks.ledger.filters import SEARCH
from tasks.views import TaskViewSet
from tests.support.assertions import assert_error
from tests.support.tasks import store_tasks


@pytest.fixture
def many_tasks(alice):
    text = {"title": "milk", "description": "bread " * 50}
    trashed = text | {"deleted_at": "2020-01-01T00:00:00Z"}
    store_tasks(alice, *[text] * 4000, *[trashed] * 4000)


@pytest.mark.parametrize("path", ["/tasks?q=z", "/tasks?q=z&ordering=due", "/trash?q=zz"])
def test_a_search_that_takes_too_long_is_504(as_alice, many_tasks, monkeypatch, path):
    assert as_alice("get", path).json()["results"] == []

    shorter = dataclasses.replace(SEARCH["q"], timeout=0.001)
    for filters in (SEARCH, TaskViewSet.filters):
        monkeypatch.setitem(filters, "q", shorter)
    assert_error(as_alice("get", path), 504, "QUERY_TIMEOUT")
    assert as_alice("get", "/tasks?ordering=title").status_code == 200
