"""PostgreSQL reads a page from an index, whatever the number of the owner's tasks."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.caller import pages
from tests.support.tasks import store_tasks

pytestmark = pytest.mark.postgres
NOON = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)
LIMIT = 100


@pytest.fixture
def thousands_of_tasks(alice, bob):
    """Each has 3,000 live tasks, of which 1,000 are open and 250 of these are due, and 3,000 in the trash."""
    for owner in (alice, bob):
        store_tasks(
            owner,
            *(
                {
                    "title": f"milk {number}",
                    "completed": number % 3 > 0,
                    "completed_at": NOON if number % 3 else None,
                    "due_at": NOON + dt.timedelta(hours=number % 1000) if number % 12 == 0 else None,
                    "created_at": NOON + dt.timedelta(minutes=number * 29 % 3000),
                    "deleted_at": NOON + dt.timedelta(hours=number // 9) if number >= 3000 else None,
                }
                for number in range(6000)
            ),
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def plan_of(queries):
    [sql] = [query["sql"] for query in queries.captured_queries if "tasks_task" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".replace("%", "%%"))
        [([plan],)] = cursor.fetchall()
    return list(nodes(plan["Plan"]))


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def rows_read(plan):
    """The number of rows that the plan reads from tables and indexes."""
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in plan
        if node["Node Type"].endswith("Scan") and node["Node Type"] != "Subquery Scan"
    )


@pytest.mark.parametrize(
    ("path", "index"),
    [
        ("/tasks?", "task_created"),
        ("/tasks?ordering=created_at", "task_created"),
        ("/tasks?ordering=updated_at", "task_version_once_per_owner"),
        ("/tasks?ordering=due", "task_due"),
        ("/tasks?ordering=-due", "task_due"),
        ("/tasks?ordering=due&due=none", "task_due"),
        ("/tasks?ordering=due&completed=false", "task_open"),
        ("/tasks?ordering=-due&completed=false", "task_open"),
        ("/trash?", "task_trashed"),
        ("/trash?ordering=deleted_at", "task_trashed"),
    ],
)
def test_a_page_is_read_from_an_index(as_alice, thousands_of_tasks, path, index):
    walk = pages(as_alice, f"{path}&limit={LIMIT}")
    # The third page by due time is the first one with tasks without a due time.
    for _ in range(5):
        with CaptureQueriesContext(connection) as queries:
            page = next(walk)
        plan = plan_of(queries)

        assert len(page) == LIMIT
        assert index in {node.get("Index Name") for node in plan}
        assert rows_read(plan) <= 3 * LIMIT


def test_a_page_of_the_sync_feed_is_read_from_an_index(as_alice, thousands_of_tasks):
    since = "0"
    for _ in range(5):
        with CaptureQueriesContext(connection) as queries:
            page = as_alice("get", f"/sync?since={since}&limit={LIMIT}").json()
        since, plan = page["since"], plan_of(queries)

        assert len(page["changes"]) == LIMIT
        assert rows_read(plan) <= 2 * LIMIT


def test_overdue_tasks_are_counted_in_an_index_of_open_tasks(as_alice, thousands_of_tasks):
    with CaptureQueriesContext(connection) as queries:
        assert as_alice("get", "/tasks/stats").json()["overdue"] == 250
    plan = plan_of(queries)

    assert "task_open" in {node.get("Index Name") for node in plan}
    assert rows_read(plan) <= 3 * LIMIT
