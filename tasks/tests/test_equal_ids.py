"""On PostgreSQL, ids are unique per owner. Two owners' tasks with one id do not affect each other."""

import uuid
from functools import partial

import pytest

from tasks.models import Task
from tests.support.admin_client import TASKS
from tests.support.assertions import assert_error
from tests.support.tasks import store_tasks

pytestmark = pytest.mark.postgres
ID = uuid.UUID(int=1)


@pytest.fixture
def tasks(alice, bob):
    return [task for owner in (alice, bob) for task in store_tasks(owner, {"id": ID, "title": "milk"})]


WRITES = [
    ("patch", "tasks", "", {"title": "bread"}),
    ("put", "tasks", "", {"title": "bread"}),
    ("post", "tasks", "/complete", None),
    ("delete", "tasks", "", None),
    ("delete", "trash", "", None),
    ("post", "trash", "/restore", None),
]


@pytest.mark.parametrize(("method", "collection", "verb", "body"), WRITES)
def test_a_write_changes_only_the_callers_task(as_alice, tasks, bob, method, collection, verb, body):
    if collection == "trash":
        assert as_alice("delete", f"/tasks/{ID}").status_code == 200
    before = Task.objects.for_user(bob).values().get()

    assert as_alice(method, f"/{collection}/{ID}{verb}", body).status_code == 200
    assert Task.objects.for_user(bob).values().get() == before


def test_a_bulk_request_and_emptying_the_trash_change_only_the_callers_tasks(as_alice, tasks, bob):
    before = Task.objects.for_user(bob).values().get()
    [other] = store_tasks(tasks[0].owner, {"title": "tea"})
    operations = [
        {"op": "update", "id": str(ID), "data": {"title": "bread"}},
        {"op": "delete", "id": str(ID)},
        {"op": "delete", "id": str(other.pk)},
    ]

    assert as_alice("post", "/bulk", {"operations": operations}).status_code == 200
    assert as_alice("delete", "/trash").json() == {"purged": 2}
    assert Task.objects.values().get() == before


def test_a_retry_of_a_large_request_shows_only_the_callers_task(as_alice, bob):
    operations = [{"op": "create", "data": {"title": "milk", "description": "long " * 900}}] * 20
    send = partial(as_alice, "post", "/bulk", {"operations": operations}, **{"Idempotency-Key": "one"})
    first = send()
    same = first.json()["results"][0]
    [secret] = store_tasks(bob, {"id": same["id"], "title": "secret"})
    assert secret.version == same["version"]

    assert send().content == first.content


def test_each_owner_reads_their_own_task(as_alice, as_bob, tasks, alice, bob):
    for caller, owner in ((as_alice, alice), (as_bob, bob)):
        assert caller("get", f"/tasks/{ID}").json()["user_id"] == str(owner.pk)
        assert [task["user_id"] for task in caller("get", "/tasks").json()["results"]] == [str(owner.pk)]

    as_bob("delete", f"/tasks/{ID}")
    assert_error(as_bob("get", f"/tasks/{ID}"), 404, "NOT_FOUND")


def test_the_admin_does_not_guess_whose_task_is_meant(superuser, tasks):
    page = superuser.get(f"{TASKS}{ID}/change/")

    assert (page.status_code, page["Location"]) == (302, "/admin/")


def test_an_action_of_the_admin_names_both_tasks_before_it_changes_them(superuser, tasks):
    page = superuser.post(TASKS, {"action": "complete", "_selected_action": [str(ID)]}).content.decode()

    assert "alice@example.com" in page
    assert "bob@example.com" in page
    assert not Task.objects.completed().exists()
