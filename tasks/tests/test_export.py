"""GET /me/export with many tasks."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.ledger import querysets
from tests.support.tasks import create_task, trashed


@pytest.mark.django_db(transaction=True)
def test_an_export_reads_the_tasks_in_batches_and_holds_no_transaction_while_it_is_sent(
    as_alice, monkeypatch
):
    monkeypatch.setattr(querysets, "BATCH_SIZE", 2)
    tasks = [create_task(as_alice) for _ in range(3)] + [trashed(as_alice) for _ in range(2)]
    with CaptureQueriesContext(connection) as queries:
        response = as_alice("get", "/me/export")

    assert not connection.in_atomic_block
    assert len([query for query in queries if "tasks_task" in query["sql"]]) == 3
    with CaptureQueriesContext(connection) as queries:
        content = b"".join(response.streaming_content)
    assert [query["sql"] for query in queries] == []
    assert json.loads(content)["tasks"] == tasks
