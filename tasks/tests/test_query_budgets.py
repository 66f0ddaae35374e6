"""The number of queries of each route, without BEGIN and COMMIT."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.tasks import create_task, trashed

# A read loads the user and the rows. A write loads the user, locks the clock, loads the rows that it names,
# and writes the clock and the row: on PostgreSQL in one statement for one row.
BUDGETS = [
    ("get", "/tasks", None, 2),
    ("get", "/tasks?q=milk&ordering=-due&completed=false", None, 3),
    ("get", "/tasks/{live}", None, 2),
    ("get", "/tasks/stats", None, 2),
    ("get", "/trash", None, 2),
    ("get", "/trash/{gone}", None, 2),
    ("get", "/sync", None, 2),
    ("get", "/sync?since=5", None, 1),
    ("post", "/tasks", {"title": "bread"}, 3),
    ("put", "/tasks/{live}", {"title": "bread"}, 4),
    ("patch", "/tasks/{live}", {"title": "bread"}, 4),
    ("patch", "/tasks/{live}", {}, 3),
    ("post", "/tasks/{live}/complete", None, 4),
    ("post", "/tasks/{live}/reopen", None, 4),
    ("delete", "/tasks/{live}", None, 4),
    ("post", "/trash/{gone}/restore", None, 4),
    # These two also look for stored responses that contain the objects.
    ("delete", "/trash/{gone}", None, 6),
    ("delete", "/trash", None, 6),
    ("post", "/bulk", {"operations": [{"op": "create", "data": {"title": "bread"}}] * 20}, 4),
]


@pytest.mark.parametrize(("method", "path", "body", "budget"), BUDGETS)
def test_a_route_makes_this_number_of_queries(as_alice, method, path, body, budget):
    for _ in range(2):
        live, gone = create_task(as_alice)["id"], trashed(as_alice)["id"]
    as_alice("delete", f"/tasks/{create_task(as_alice)['id']}")
    path = path.format(live=live, gone=gone).replace(
        "since=5", f"since={as_alice('get', '/sync').json()['since']}"
    )
    with CaptureQueriesContext(connection) as captured:
        response = as_alice(method, path, body)

    queries = [query["sql"] for query in captured if query["sql"] not in {"BEGIN", "COMMIT"}]
    # In the transaction of a test, savepoints take the place of BEGIN and COMMIT.
    savepoints = [sql for sql in queries if "SAVEPOINT" in sql]
    assert response.status_code in {200, 201}
    # SQLite cannot write the clock and the row in one statement.
    separate = connection.vendor == "sqlite" and any("UPDATE" in sql and "clock" in sql for sql in queries)
    assert len(queries) - len(savepoints) <= budget + separate
    assert len(savepoints) in {0, 2}
