"""The cost of searches is bounded, because short words and frequent ones are not served by an index."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from tasks.ledger.filters import SEARCH
from tasks.views import TaskViewSet
from tests.support.assertions import assert_error
from tests.support.locks import transaction_blocking
from tests.support.tasks import store_tasks
from tests.support.threads import run_together
from todo_project.db.locks import lock_until_commit


@pytest.fixture
def many_tasks(alice):
    text = {"title": "milk", "description": "bread " * 50}
    trashed = text | {"deleted_at": "2020-01-01T00:00:00Z"}
    with transaction.atomic():
        store_tasks(alice, *[text] * 4000, *[trashed] * 4000)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/tasks?q=z", "/tasks?q=z&ordering=due", "/trash?q=zz"])
def test_a_search_that_takes_too_long_is_504(as_alice, many_tasks, monkeypatch, path):
    assert as_alice("get", path).json()["results"] == []

    set_timeout(monkeypatch, 0.001)
    assert_error(as_alice("get", path), 504, "QUERY_TIMEOUT")
    assert as_alice("get", "/tasks?ordering=title").status_code == 200


@pytest.mark.postgres
def test_a_search_is_planned_for_its_text_each_time(as_alice):
    """PostgreSQL has one plan for all texts otherwise, after the fifth search."""
    for _ in range(7):
        as_alice("get", "/tasks?q=milk")
    with connection.cursor() as cursor:
        searches = """statement LIKE '%"tasks_task"%LIKE%'"""
        cursor.execute(f"SELECT sum(generic_plans) FROM pg_prepared_statements WHERE {searches}")
        [(generic_plans,)] = cursor.fetchall()

    pooled = connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]  # then nothing is prepared
    assert generic_plans == (None if pooled else 0)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_user_searches_once_at_a_time_while_others_search(as_alice, as_bob, alice, monkeypatch):
    def search():
        return as_alice("get", "/tasks?q=milk").status_code

    with transaction_blocking(search) as statuses:
        lock_until_commit(f"search {alice.pk}")
        assert as_alice("get", "/tasks").status_code == 200
        assert as_bob("get", "/tasks?q=milk").status_code == 200
    assert statuses == [200]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/tasks?q=milk", "/trash?q=milk"])
def test_a_search_that_waits_too_long_for_another_one_is_429(as_alice, alice, monkeypatch, path):
    set_timeout(monkeypatch, 0.2)

    def search():
        return as_alice("get", path)

    with ThreadPoolExecutor() as pool, transaction.atomic():
        lock_until_commit(f"search {alice.pk}")
        refused = pool.submit(run_together, 1, search).result()[0]

    assert_error(refused, 429, "RATE_LIMITED")
    assert refused["Retry-After"] == "1"


def set_timeout(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    shorter = dataclasses.replace(SEARCH["q"], timeout=seconds)
    for filters in (SEARCH, TaskViewSet.filters):
        monkeypatch.setitem(filters, "q", shorter)
