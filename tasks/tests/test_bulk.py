"""POST /bulk: many operations in one transaction."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.models import Task
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.tasks import create_task, entry, trashed


def bulk(caller, *operations, **headers):
    return caller("post", "/bulk", {"operations": list(operations)}, **headers)


def create(title="bread", **data):
    return {"op": "create", "data": {"title": title, **data}}


def rows():
    return list(Task.objects.order_by("id").values())


def test_a_bulk_request_performs_every_operation_in_order(as_alice):
    kept, gone = create_task(as_alice, "kept"), create_task(as_alice, "gone")
    done = create_task(as_alice, "done", completed=True)
    back = trashed(as_alice, title="back")
    response = bulk(
        as_alice,
        create(priority=2),
        {"op": "update", "id": kept["id"], "data": {"description": "changed"}},
        {"op": "complete", "id": kept["id"]},
        {"op": "reopen", "id": done["id"]},
        {"op": "delete", "id": gone["id"]},
        {"op": "restore", "id": back["id"]},
    )

    results = response.json()["results"]
    assert response.status_code == 200
    assert [task["title"] for task in results] == ["bread", "kept", "kept", "done", "gone", "back"]
    assert results[0]["priority"] == 2
    assert results[1] == results[2]
    assert (results[1]["description"], results[1]["completed"]) == ("changed", True)
    assert results[3]["completed"] is False
    assert results[4]["deleted_at"] == results[4]["updated_at"]
    assert results[5]["deleted_at"] is None
    # The tasks above used 5 versions; each operation uses the next.
    assert [task["version"] for task in results] == [6, 8, 8, 9, 10, 11]
    for task in (*results[:4], results[5]):
        assert as_alice("get", f"/tasks/{task['id']}").json() | {"kind": "task"} == task


def test_repeating_an_operation_in_one_request_changes_nothing_more(as_alice, task):
    operations = [{"op": verb, "id": task["id"]} for verb in ("complete", "complete", "delete", "delete")]
    first = bulk(as_alice, *operations).json()["results"]
    again = bulk(as_alice, {"op": "delete", "id": task["id"]}).json()["results"]

    assert [one["version"] for one in first] == [task["version"] + 2] * 4
    assert again == [first[0]]


def test_if_match_is_compared_with_the_version_before_the_request(as_alice, task):
    """So a client can queue two changes of the same version, and the first does not make the second stale."""
    response = bulk(
        as_alice,
        {"op": "update", "id": task["id"], "data": {"title": "bread"}, "if_match": task["version"]},
        {"op": "complete", "id": task["id"], "if_match": task["version"]},
    )

    assert response.status_code == 200
    assert response.json()["results"][0]["completed"] is True


INVALID_OPERATIONS = [
    ({"op": "create", "data": {"title": ""}}, "title", "blank"),
    ({"op": "create", "data": {}}, "title", "required"),
    ({"op": "create", "data": {"title": "x", "version": 1}}, "version", "read_only"),
    ({"op": "create", "data": []}, "data", "not_a_dict"),
    ({"op": "create", "data": None}, "data", "null"),
    ({"op": "create"}, "data", "required"),
    ({"op": "create", "data": {"title": "x"}, "id": UNKNOWN_ID}, "id", "unknown"),
    ({"op": "create", "data": {"title": "x"}, "if_match": 1}, "if_match", "unknown"),
    ({"op": "update", "id": UNKNOWN_ID}, "data", "required"),
    ({"op": "update", "data": {"title": "x"}}, "id", "required"),
    ({"op": "update", "id": UNKNOWN_ID, "data": {"priority": 9}}, "priority", "invalid_choice"),
    ({"op": "complete"}, "id", "required"),
    ({"op": "reopen", "id": UNKNOWN_ID, "data": {}}, "data", "unknown"),
    ({"op": "complete", "id": UNKNOWN_ID, "data": {"subtasks": "x"}}, "subtasks", "invalid_choice"),
    ({"op": "move", "id": UNKNOWN_ID}, "after", "required"),
    ({"op": "complete", "id": "milk"}, "id", "invalid"),
    ({"op": "complete", "id": UNKNOWN_ID, "if_match": "x"}, "if_match", "invalid"),
    ({"op": "complete", "id": UNKNOWN_ID, "if_match": -1}, "if_match", "min_value"),
    ({"op": "purge", "id": UNKNOWN_ID}, "op", "invalid_choice"),
    ({"id": UNKNOWN_ID}, "op", "required"),
    ({"op": "complete", "id": UNKNOWN_ID, "at": "now"}, "at", "unknown"),
]


@pytest.mark.parametrize(("operation", "field", "constraint"), INVALID_OPERATIONS)
def test_an_invalid_operation_is_named_and_nothing_is_changed(as_alice, task, operation, field, constraint):
    before = rows()
    response = bulk(as_alice, create(), {"op": "complete", "id": task["id"]}, create(), operation)

    assert_error(response, 400, "VALIDATION_ERROR", field=f"operations.3.{field}", constraint=constraint)
    assert rows() == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "operations"),
        ({"operations": []}, "operations"),
        ({"operations": None}, "operations"),
        ({"operations": {}}, "operations"),
        ({"operations": ["complete"]}, "operations.0"),
        ({"operations": [None]}, "operations.0"),
        ({"operations": [create()], "atomic": False}, "atomic"),
        ({"operations": [create()] * 101}, "operations"),
        ([], None),
    ],
)
def test_an_invalid_bulk_request_is_refused(as_alice, body, field):
    error = assert_error(as_alice("post", "/bulk", body), 400, "VALIDATION_ERROR")

    assert error["details"]["field"] == field
    assert rows() == []


def test_every_invalid_operation_is_reported(as_alice):
    error = assert_error(bulk(as_alice, create(""), create(), create("")), 400, "VALIDATION_ERROR")

    assert [one["field"] for one in error["details"]["errors"]] == [
        "operations.0.title",
        "operations.2.title",
    ]


@pytest.mark.parametrize("verb", ["update", "complete", "reopen", "delete", "restore"])
def test_a_missing_task_undoes_the_whole_request(as_alice, task, verb):
    before = rows()
    data = {"data": {"title": "x"}} if verb == "update" else {}
    response = bulk(
        as_alice, create(), {"op": "complete", "id": task["id"]}, {"op": verb, "id": UNKNOWN_ID, **data}
    )

    assert_error(response, 404, "NOT_FOUND", field="operations.2.id", constraint="not_found")
    assert rows() == before


def test_a_task_deleted_earlier_in_the_request_is_not_found(as_alice, task):
    operations = [{"op": verb, "id": task["id"]} for verb in ("delete", "complete")]
    response = bulk(as_alice, *operations)

    assert_error(response, 404, "NOT_FOUND", field="operations.1.id", constraint="not_found")
    assert as_alice("get", f"/tasks/{task['id']}").json() == task


def test_a_stale_if_match_undoes_the_whole_request_and_returns_the_current_task(as_alice, task):
    before = rows()
    response = bulk(
        as_alice,
        {"op": "update", "id": task["id"], "data": {"title": "bread"}},
        {"op": "complete", "id": task["id"], "if_match": task["version"] + 1},
    )

    error = assert_error(response, 412, "PRECONDITION_FAILED", field="operations.1.if_match")
    assert error["details"]["current"] == entry(task)
    assert rows() == before


def test_a_retry_with_the_same_idempotency_key_creates_nothing_more(as_alice):
    first, again = (bulk(as_alice, create(), create(), **{"Idempotency-Key": "k"}) for _ in "12")

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert Task.objects.count() == 2


@pytest.mark.postgres  # SQLite takes 83 tasks in one statement.
def test_100_operations_cost_as_many_queries_as_2(as_alice, django_assert_num_queries):
    tasks = bulk(as_alice, *(create(str(number)) for number in range(50))).json()["results"]

    def operations(number):
        changes = [{"op": "complete", "id": task["id"]} for task in tasks[:number]]
        return [*changes, *(create() for _ in range(number))]

    for number in (1, 50):
        # BEGIN, the user, lock, the tasks, their subtasks, clock, INSERT, UPDATE, COMMIT
        with django_assert_num_queries(9):
            assert bulk(as_alice, *operations(number)).status_code == 200


@pytest.mark.postgres
def test_bulk_requests_prepare_no_statement_for_each_number_of_operations(as_alice):
    """A connection keeps a hundred; those of the commonest requests would have to be prepared again."""
    tasks = [create_task(as_alice) for _ in range(9)]
    numbers = []
    for number in (2, 3, 4):
        changes = [{"op": "complete", "id": tasks.pop()["id"]} for _ in range(number)]
        assert bulk(as_alice, *changes).status_code == 200
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements")
            numbers.append(cursor.fetchone()[0])

    assert numbers[0] == numbers[1] == numbers[2]


def test_a_bulk_request_writes_only_the_columns_in_its_operations(as_alice):
    milk, bread = create_task(as_alice, "milk"), create_task(as_alice, "bread")
    with CaptureQueriesContext(connection) as queries:
        bulk(
            as_alice,
            {"op": "update", "id": milk["id"], "data": {"priority": 1}},
            {"op": "update", "id": bread["id"], "data": {"priority": 2}},
        )
    [update] = [query["sql"] for query in queries if 'UPDATE "tasks_task"' in query["sql"]]

    assert '"priority" =' in update
    for column in ("title", "description", "completed", "due_at", "created_at", "deleted_at"):
        assert f'"{column}" =' not in update


def test_a_deletion_that_bypasses_the_clock_is_a_conflict(as_alice, monkeypatch):
    tasks = [create_task(as_alice), create_task(as_alice)]
    original = Task.set_fields

    def delete_and_set_fields(self, values, *, at):
        Task.objects.filter(owner=self.owner, pk=self.pk).delete()
        return original(self, values, at=at)

    monkeypatch.setattr(Task, "set_fields", delete_and_set_fields)
    operations = [{"op": "complete", "id": task["id"]} for task in tasks]

    assert_error(bulk(as_alice, *operations), 409, "CONFLICT")
    assert Task.objects.filter(version__in=[task["version"] for task in tasks]).count() == 2


@pytest.mark.postgres
@pytest.mark.parametrize("beside", [create(), {"op": "complete"}])
def test_tasks_are_locked_between_read_and_write(as_alice, beside):
    """Otherwise a write that bypasses the clock, such as from psql, could be overwritten."""
    one = create_task(as_alice)
    if beside["op"] != "create":
        beside = {**beside, "id": create_task(as_alice)["id"]}
    with CaptureQueriesContext(connection) as queries:
        response = bulk(as_alice, {"op": "complete", "id": one["id"]}, beside)

    assert response.status_code == 200
    assert [
        query for query in queries if 'FROM "tasks_task"' in query["sql"] and "FOR UPDATE" in query["sql"]
    ]


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([], "Operations must not be empty."),
        ({}, "Operations must be a list."),
        ([1], "Item 0 of operations must be an object."),
        ([{"op": "create", "data": []}], "Data must be an object."),
        ([{"op": "create", "data": {}, "if_match": -1}], "If match must be at least 0."),
        ([{"op": "create", "data": {}, "if_match": 1}], "If match is not allowed with create."),
        ([{"op": "create", "data": {"title": "x", "labels": "y"}}], "Labels must be a list."),
    ],
)
def test_the_message_says_which_part_is_wrong_and_what_is_allowed(as_alice, operations, message):
    response = as_alice("post", "/bulk", {"operations": operations})

    assert assert_error(response, 400, "VALIDATION_ERROR")["message"] == message
