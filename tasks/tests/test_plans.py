"""PostgreSQL reads a page from an index, whatever the number of the owner's tasks."""

import datetime as dt
import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from tasks.ledger.models import Clock, Tombstone
from tests.support.caller import pages, signed_in
from tests.support.organisation import create_label, create_project
from tests.support.tasks import create_task, store_tasks

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]
NOON = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)
LIMIT = 40


@pytest.fixture(scope="module")
def alice(shared_rows):
    return User.objects.create_user("alice@example.com")


@pytest.fixture(scope="module")
def as_alice(alice):
    return signed_in(alice)


@pytest.fixture(scope="module")
def bob(shared_rows):
    return User.objects.create_user("bob@example.com")


@pytest.fixture(scope="module")
def many_tasks(alice, bob):
    """Each has 1,200 live tasks, of which 400 are open and 100 of these are due, and 1,200 in the trash."""
    for owner in (alice, bob):
        store_tasks(
            owner,
            *(
                {
                    "title": f"milk {number}",
                    "completed": number % 3 > 0,
                    "completed_at": NOON if number % 3 else None,
                    "due_at": NOON + dt.timedelta(hours=number % 1000) if number % 12 == 0 else None,
                    "created_at": NOON + dt.timedelta(minutes=number * 29 % 1200),
                    "deleted_at": NOON + dt.timedelta(hours=number // 9) if number >= 1200 else None,
                }
                for number in range(2400)
            ),
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def plan_of(queries):
    [sql] = [query["sql"] for query in queries.captured_queries if "tasks_task" in query["sql"]]
    return explained(sql)


def explained(sql):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".replace("%", "%%"))
        [([plan],)] = cursor.fetchall()
    return list(nodes(plan["Plan"]))


def explained_for_any(owner, sql):
    """The plan that does not depend on the owner."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        generic = re.sub(rf"'{owner.pk}'|'{owner.pk.hex}'", "$1", sql)
        cursor.execute(f"PREPARE page (uuid) AS {generic}".replace("%", "%%"))
        plan = explained(f"EXECUTE page ('{owner.pk}')")
        cursor.execute("DEALLOCATE page")
    return plan


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def rows_read(plan):
    """The number of rows that the plan reads from tables, or from an index alone."""
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in plan
        if node["Node Type"] in {"Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
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
        ("/tasks?ordering=position&project=none", "task_inbox"),
        ("/tasks?ordering=due&completed=false", "task_open"),
        ("/tasks?ordering=-due&completed=false", "task_open"),
        ("/trash?", "task_trashed"),
        ("/trash?ordering=deleted_at", "task_trashed"),
    ],
)
def test_a_page_is_read_from_an_index(as_alice, many_tasks, path, index):
    walk = pages(as_alice, f"{path}&limit={LIMIT}")
    # The third page by due time is the first one with tasks without a due time.
    for _ in range(5):
        with CaptureQueriesContext(connection) as queries:
            page = next(walk)
        plan = plan_of(queries)

        assert len(page) == LIMIT
        assert index in {node.get("Index Name") for node in plan}
        assert rows_read(plan) <= 3 * LIMIT


def old_task(minute, *, trashed):
    """The later it was created or deleted, the earlier it is due."""
    at, due = (NOON + dt.timedelta(minutes=minutes) for minutes in (minute, -minute))
    return {"title": "milk", "created_at": at, "due_at": due, "deleted_at": at if trashed else None}


@pytest.mark.parametrize("path", ["/tasks", "/tasks?ordering=due&completed=false", "/trash"])
def test_a_page_does_not_read_the_newer_tasks_of_others(as_alice, alice, bob, path):
    """PostgreSQL plans a prepared query for an average owner, whose tasks are as new as those of others."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tasks_task")  # those that other tests share
    for owner, times in ((alice, range(100)), (bob, range(100, 3100))):
        for trashed in (False, True):
            store_tasks(owner, *(old_task(time, trashed=trashed) for time in times))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as queries:
        assert len(as_alice("get", path).json()["results"]) == 50
    [sql] = [query["sql"] for query in queries.captured_queries if "tasks_task" in query["sql"]]

    assert rows_read(explained_for_any(alice, sql)) <= 3 * 50


def test_the_occurrences_of_a_task_are_read_from_an_index(as_alice, many_tasks):
    task = create_task(as_alice, due_date="2027-01-31", repeat={"rule": "FREQ=DAILY"})
    assert as_alice("post", f"/tasks/{task['id']}/complete").status_code == 200
    with CaptureQueriesContext(connection) as queries:
        found = as_alice("get", f"/tasks?series={task['id']}").json()["results"]
    plan = plan_of(queries)

    assert len(found) == 2
    assert "task_series" in {node.get("Index Name") for node in plan}
    assert rows_read(plan) <= 4


@pytest.mark.parametrize("direction", ["after", "before"])
def test_the_neighbours_of_a_place_are_read_from_an_index(as_alice, many_tasks, direction):
    one, *_, other = as_alice("get", "/tasks?limit=200").json()["results"]
    with CaptureQueriesContext(connection) as queries:
        moved = as_alice("post", f"/tasks/{one['id']}/move", {direction: other["id"]})
    [sql] = [query["sql"] for query in queries if "UNION" in query["sql"]]

    assert moved.status_code == 200
    assert rows_read(explained(sql)) <= 30


@pytest.mark.parametrize("kind", ["parent", "project", "label"])
def test_references_are_read_and_purged_by_indexes(as_alice, many_tasks, kind):
    label, project = create_label(as_alice)["id"], create_project(as_alice)["id"]
    parent = create_task(as_alice, project=project, labels=[label])["id"]
    create_task(as_alice, parent=parent, labels=[label])
    paths = {"parent": f"/tasks/{parent}", "project": f"/projects/{project}", "label": f"/labels/{label}"}
    with CaptureQueriesContext(connection) as queries:
        assert as_alice("delete", paths[kind]).status_code == 200
        if kind != "label":
            path = paths[kind].replace("tasks", "trash").replace("projects", "trash")
            assert (
                as_alice("delete", f"{path}?kind={'task' if kind == 'parent' else kind}").status_code == 200
            )
    reading = [query["sql"] for query in queries if query["sql"].startswith(("(SELECT", "SELECT", "WITH"))]

    for sql in reading:
        if "tasks_" in sql:
            assert rows_read(explained(sql)) <= 30, sql


def test_a_page_of_the_sync_feed_is_read_from_an_index(as_alice, many_tasks):
    since = "0"
    for _ in range(5):
        with CaptureQueriesContext(connection) as queries:
            page = as_alice("get", f"/sync?since={since}&limit={LIMIT}").json()
        since, plan = page["since"], plan_of(queries)

        assert len(page["changes"]) == LIMIT
        assert rows_read(plan) <= 2 * LIMIT


def test_a_page_of_the_sync_feed_reads_no_more_of_each_kind_than_it_returns(as_alice, alice, many_tasks):
    purged = (uuid.uuid4() for _ in range(500))
    Tombstone.objects.bulk_create(
        Tombstone(owner=alice, kind="task", object_id=each, version=version, purged_at=NOON)
        for version, each in enumerate(purged, 2401)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ledger_tombstone")
    with CaptureQueriesContext(connection) as queries:
        assert len(as_alice("get", f"/sync?limit={LIMIT}").json()["changes"]) == LIMIT
    [sql] = [query["sql"] for query in queries if "tasks_task" in query["sql"]]

    # One more task, the first tombstone and the clocks of both users.
    assert rows_read(explained(sql)) <= LIMIT + 4
    assert rows_read(explained_for_any(alice, sql)) <= LIMIT + 4


def test_a_write_keeps_the_owners_clock_on_its_page(as_alice, alice):
    """PostgreSQL then writes nothing to the index of the clocks."""
    create_task(as_alice)
    users = User.objects.bulk_create(User(email=f"{number}@example.com") for number in range(200))
    Clock.objects.bulk_create(Clock(owner=user, counts={"task": {"open": 1}}) for user in users)
    before = page_of_clock(alice)
    for _ in range(3):
        create_task(as_alice)

    assert page_of_clock(alice) == before


def page_of_clock(owner):
    with connection.cursor() as cursor:
        cursor.execute("SELECT ctid FROM ledger_clock WHERE owner_id = %s", [owner.pk])
        [(row,)] = cursor.fetchall()
    return row.partition(",")[0]


@pytest.mark.parametrize(
    "table", ["tasks_task", "tasks_tasklabel", "ledger_tombstone", "todo_project_idempotencykey"]
)
def test_large_tables_are_vacuumed_after_a_fiftieth_has_changed(db, table):
    assert options_of(table) == {
        "autovacuum_vacuum_scale_factor=0.02",
        "autovacuum_vacuum_insert_scale_factor=0.02",
        "autovacuum_analyze_scale_factor=0.02",
    }


@pytest.mark.parametrize("table", ["ledger_clock", "todo_project_idempotencyusage"])
def test_rows_that_each_write_updates_have_free_space_beside_them(db, table):
    assert options_of(table) == {"fillfactor=50"}


def options_of(table):
    with connection.cursor() as cursor:
        cursor.execute("SELECT unnest(reloptions) FROM pg_class WHERE relname = %s", [table])
        return {option for (option,) in cursor.fetchall()}


def test_overdue_tasks_are_counted_in_an_index_of_open_tasks(as_alice, alice, many_tasks):
    soon = timezone.now() + dt.timedelta(hours=1)
    store_tasks(
        alice, *({"title": "milk", "due_at": soon + dt.timedelta(minutes=each)} for each in range(100))
    )
    with CaptureQueriesContext(connection) as queries:
        assert as_alice("get", "/tasks/stats").json()["overdue"] == 100
    plan = plan_of(queries)

    assert "task_open" in {node.get("Index Name") for node in plan}
    # The clocks of both users, and the task that is due next.
    assert rows_read(plan) <= 100 + 3


@pytest.mark.parametrize(
    "due",
    [
        "due_until=2019-12-30",
        "due_before=2020-01-01T00:00:00Z",
        "due_from=2030-01-01",
        "due_after=2030-01-01T00:00:00Z",
    ],
)
@pytest.mark.parametrize("ordering", ["ordering=due", "ordering=-due", "ordering=due&completed=false"])
def test_a_list_in_due_order_reads_only_tasks_due_in_its_range(as_alice, many_tasks, due, ordering):
    with CaptureQueriesContext(connection) as queries:
        assert as_alice("get", f"/tasks?{ordering}&{due}").json()["results"] == []

    assert rows_read(plan_of(queries)) == 0
