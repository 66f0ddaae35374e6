"""DELETE /trash with many objects: each batch is one transaction."""

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from tasks.ledger import trash
from tasks.ledger.models import Tombstone
from tasks.models import Task
from tests.support.assertions import assert_error
from tests.support.tasks import create_task, trashed
from tests.support.threads import run_together


@pytest.fixture
def five_trashed(as_alice, monkeypatch):
    monkeypatch.setattr(trash, "BATCH_SIZE", 2)
    return [trashed(as_alice)["id"] for _ in range(5)]


def before_second_batch(action):
    """Call the action before the second batch locks the clock, when no transaction runs."""
    locks = []

    def execute(execute, sql, params, many, context):
        if "FOR NO KEY UPDATE" in sql:
            locks.append(sql)
            if len(locks) == 2:
                action()
        return execute(sql, params, many, context)

    return connection.execute_wrapper(execute)


def fail():
    raise OperationalError("The connection is lost.")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_failure_keeps_the_batches_before_it_and_can_be_repeated(as_alice, five_trashed):
    with before_second_batch(fail):
        assert_error(as_alice("delete", "/trash"), 503, "SERVICE_UNAVAILABLE")

    assert Tombstone.objects.count() == 2
    assert as_alice("get", "/tasks/stats").json()["trashed"] == 3
    assert as_alice("delete", "/trash").json() == {"purged": 3}
    changes = as_alice("get", "/sync").json()["changes"]
    assert {change["id"] for change in changes if change.get("purged")} == set(five_trashed)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_another_write_may_come_between_two_batches(as_alice, five_trashed):
    created = []
    with before_second_batch(lambda: created.extend(run_together(1, lambda: create_task(as_alice)))):
        assert as_alice("delete", "/trash").json() == {"purged": 5}

    assert [task["id"] for task in as_alice("get", "/tasks").json()["results"]] == [created[0]["id"]]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_what_comes_into_the_trash_between_two_batches_stays_there(as_alice, five_trashed):
    late = []
    with before_second_batch(lambda: late.extend(run_together(1, lambda: trashed(as_alice)))):
        assert as_alice("delete", "/trash").json() == {"purged": 5}

    assert len(late) == 1
    assert as_alice("get", "/trash").json()["results"] == late


def test_if_match_applies_before_the_first_batch_only(as_alice, five_trashed):
    current = as_alice("get", "/trash")["ETag"]

    assert as_alice("delete", "/trash", **{"If-Match": current}).json() == {"purged": 5}
    assert not Task.objects.exists()


def test_a_dry_run_counts_the_trash_without_reading_or_writing_it(as_alice, five_trashed):
    with CaptureQueriesContext(connection) as queries:
        assert as_alice("delete", "/trash?dry_run=true").json() == {"purged": 5}

    assert not any("tasks_task" in query["sql"] for query in queries)
