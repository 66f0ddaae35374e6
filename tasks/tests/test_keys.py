"""A task that is created with a key is created once, and its id is known before the server answers."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.models import Task
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID, signed_in
from tests.support.tasks import create_task, entry, prune_tombstones
from tests.support.threads import run_together


def task_id(user, key):
    return str(uuid.uuid5(user.pk, f"task:{key}"))


def create(caller, key="shopping-1", **fields):
    return caller("post", "/tasks", {"title": "milk", "key": key, **fields})


def bulk(caller, *operations):
    return caller("post", "/bulk", {"operations": list(operations)})


def purge(caller, task):
    caller("delete", f"/tasks/{task}")
    assert caller("delete", f"/trash/{task}").status_code == 200


@pytest.mark.parametrize("key", ["1", " two words ", "ünï-\U0001f95b", "x" * 200])
def test_the_id_is_computed_from_the_user_and_the_key(as_alice, alice, key):
    response = create(as_alice, key)

    assert response.status_code == 201
    assert response.json()["id"] == task_id(alice, key)
    assert response["Location"] == f"/api/v1/tasks/{task_id(alice, key)}"
    assert "key" not in response.json()


def test_creating_again_returns_the_task_as_it_is_now(as_alice):
    task = create(as_alice).json()
    changed = as_alice("patch", f"/tasks/{task['id']}", {"title": "oat milk", "completed": True}).json()
    etag = as_alice("get", "/tasks")["ETag"]
    response = create(as_alice, title="bread", priority=3)

    assert response.status_code == 200
    assert response.json() == changed
    assert response["ETag"] == f'"{changed["version"]}"'
    assert as_alice("get", "/tasks")["ETag"] == etag


def test_creating_again_finds_the_task_in_the_trash(as_alice):
    task = create(as_alice).json()
    trashed = as_alice("delete", f"/tasks/{task['id']}").json()

    assert create(as_alice).json() == trashed


def test_creating_again_is_gone_while_the_tombstone_is_kept(as_alice, alice):
    task = create(as_alice).json()
    purge(as_alice, task["id"])

    assert_error(create(as_alice), 410, "GONE")
    assert_error(bulk(as_alice, {"op": "create", "data": {"title": "x", "key": "shopping-1"}}), 410, "GONE")
    prune_tombstones(alice, up_to=99)
    assert create(as_alice).status_code == 201
    purge(as_alice, task["id"])


def test_the_keys_of_two_users_are_independent(as_alice, as_bob, bob):
    alices, bobs = create(as_alice), create(as_bob)

    assert (alices.status_code, bobs.status_code) == (201, 201)
    assert bobs.json()["id"] == task_id(bob, "shopping-1") != alices.json()["id"]


@pytest.mark.parametrize(
    ("key", "constraint"),
    [("", "blank"), ("x" * 201, "max_length"), ("a\nb", "invalid"), (5, "invalid"), (None, "null")],
)
def test_an_invalid_key_is_rejected(as_alice, key, constraint):
    assert_error(create(as_alice, key), 400, "VALIDATION_ERROR", field="key", constraint=constraint)


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_update_takes_no_key(as_alice, task, method):
    response = as_alice(method, f"/tasks/{task['id']}", {"title": "x", "key": "k"})

    assert_error(response, 400, "VALIDATION_ERROR", field="key", constraint="unknown")


def test_later_operations_of_a_bulk_refer_to_created_tasks(as_alice, alice):
    operations = [
        {"op": "create", "data": {"title": "milk", "key": "a"}},
        {"op": "update", "id": task_id(alice, "a"), "data": {"priority": 2}},
        {"op": "complete", "id": task_id(alice, "a")},
        {"op": "create", "data": {"title": "ignored", "key": "a"}},
        {"op": "create", "data": {"title": "bread", "key": "b"}},
        {"op": "delete", "id": task_id(alice, "b")},
    ]
    results = bulk(as_alice, *operations).json()["results"]

    assert results[0] == results[1] == results[2] == results[3]
    assert (results[0]["title"], results[0]["priority"], results[0]["completed"]) == ("milk", 2, True)
    assert results[5]["deleted_at"] is not None
    assert entry(as_alice("get", f"/tasks/{task_id(alice, 'a')}").json()) == results[0]
    assert bulk(as_alice, *operations[:1], *operations[4:5]).json()["results"] == [results[0], results[5]]
    assert Task.objects.count() == 2


def test_only_version_0_matches_a_task_of_the_same_bulk(as_alice, alice):
    create = {"op": "create", "data": {"title": "milk", "key": "a"}}
    complete = {"op": "complete", "id": task_id(alice, "a")}

    error = assert_error(bulk(as_alice, create, {**complete, "if_match": 1}), 412, "PRECONDITION_FAILED")
    assert error["details"]["current"]["title"] == "milk"
    assert Task.objects.count() == 0
    assert bulk(as_alice, create, {**complete, "if_match": 0}).json()["results"][1]["completed"]
    assert_error(bulk(as_alice, create, {**complete, "if_match": 0}), 412, "PRECONDITION_FAILED")


def test_an_id_that_a_later_operation_creates_is_not_found(as_alice, alice):
    response = bulk(
        as_alice,
        {"op": "complete", "id": task_id(alice, "a")},
        {"op": "create", "data": {"title": "milk", "key": "a"}},
    )

    assert_error(response, 404, "NOT_FOUND")
    assert as_alice("get", f"/tasks/{UNKNOWN_ID}").status_code == 404
    assert Task.objects.count() == 0


@pytest.mark.parametrize("number", [1, 20])
def test_a_keyed_bulk_costs_the_same_queries_for_any_number(as_alice, task, number):
    operations = [{"op": "create", "data": {"title": "x", "key": f"k{each}"}} for each in range(number)]

    with CaptureQueriesContext(connection) as queries:
        assert bulk(as_alice, *operations).status_code == 200

    # the user, savepoint, clock, tasks, tombstones, clock, INSERT, release; one INSERT may write both
    assert len(queries) <= 8


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_with_one_key_create_one_task(alice):
    callers = [signed_in(alice) for _ in range(16)]
    create_task(callers[0], "first")
    answers = run_together(16, lambda: create(callers.pop()))

    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.content for answer in answers}) == 1
    assert Task.objects.count() == 2
