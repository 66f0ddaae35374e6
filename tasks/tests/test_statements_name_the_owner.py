"""Commands write owner by owner, so that each write belongs to one shard."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.ledger.models import Tombstone
from tasks.models import Task
from tests.support.commands import purge, run
from tests.support.tasks import create_task, trashed
from todo_project.models import IdempotencyKey

TABLES_WITH_AN_OWNER = "tasks_task|ledger_clock|ledger_tombstone|todo_project_idempotency"
WRITE = rf"^(INSERT|UPDATE|DELETE|SELECT .* FOR (NO KEY )?UPDATE).*({TABLES_WITH_AN_OWNER})"


@pytest.fixture
def old_rows(as_alice, as_bob):
    """Of Alice and Bob each: a live task, one in the trash, a tombstone and a remembered key, all old."""
    for caller in (as_alice, as_bob):
        create_task(caller)
        trashed(caller)
        caller("delete", f"/trash/{trashed(caller)['id']}")
        caller("post", "/tasks", {"title": "milk"}, **{"Idempotency-Key": "key-1"})
    long_ago = timezone.now() - timedelta(days=1000)
    Task.objects.trashed().update(deleted_at=long_ago)
    Tombstone.objects.update(purged_at=long_ago)
    IdempotencyKey.objects.update(created_at=long_ago)


def writes(queries):
    return [query["sql"] for query in queries.captured_queries if re.search(WRITE, query["sql"], re.DOTALL)]


def owners_in(sql, *owners):
    return [owner for owner in owners if owner.pk.hex in sql.replace("-", "")]


def test_every_write_of_purge_names_one_owner(old_rows, alice, bob):
    with CaptureQueriesContext(connection) as queries:
        purge()

    text = " ".join(writes(queries))
    assert [table for table in TABLES_WITH_AN_OWNER.split("|") if table not in text] == []
    assert [sql for sql in writes(queries) if len(owners_in(sql, alice, bob)) != 1] == []
    assert not Task.objects.trashed().exists()
    assert not IdempotencyKey.objects.exists()


def test_every_statement_of_erase_user_names_the_owner(old_rows, alice, bob):
    with CaptureQueriesContext(connection) as queries:
        run("erase_user", alice.email, "--yes")

    statements = [
        query["sql"] for query in queries.captured_queries if re.search(TABLES_WITH_AN_OWNER, query["sql"])
    ]
    assert len(statements) >= 5
    assert [sql for sql in statements if owners_in(sql, alice, bob) != [alice]] == []
    assert {task.owner for task in Task.objects.all()} == {bob}
