"""DELETE /tasks/{id} and all operations under /trash."""

import pytest

from tasks.ledger import trash
from tasks.ledger.models import Tombstone
from tasks.models import Task
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.tasks import create_task, trashed


def ids(response):
    return {task["id"] for task in response.json()["results"]}


def test_deleting_a_task_moves_it_to_the_trash(as_alice, task):
    response = as_alice("delete", f"/tasks/{task['id']}")

    gone = response.json()
    assert response.status_code == 200
    assert gone["deleted_at"] == gone["updated_at"]
    assert gone["version"] == task["version"] + 1
    assert response["ETag"] == f'"{gone["version"]}"'
    assert_error(as_alice("get", f"/tasks/{task['id']}"), 404, "NOT_FOUND")
    assert ids(as_alice("get", "/tasks")) == set()
    assert as_alice("get", "/trash").json()["results"] == [gone]
    assert as_alice("get", f"/trash/{task['id']}").json() == gone


def test_deleting_a_trashed_task_keeps_the_time_of_the_first_deletion(as_alice):
    task = trashed(as_alice)
    response = as_alice("delete", f"/tasks/{task['id']}")

    assert (response.status_code, response.json()) == (200, task)


def test_restoring_a_task_changes_only_its_version_and_updated_at(as_alice):
    before = create_task(as_alice, completed=True, priority=3, due_at="2030-01-31T09:00:00Z")
    as_alice("delete", f"/tasks/{before['id']}")
    response = as_alice("post", f"/trash/{before['id']}/restore")

    changed = {name for name, value in response.json().items() if value != before[name]}
    assert response.status_code == 200
    assert changed == {"updated_at", "version"}
    assert as_alice("get", f"/tasks/{before['id']}").json() == response.json()
    assert ids(as_alice("get", "/trash")) == set()


def test_restoring_a_live_task_changes_nothing(as_alice, task):
    response = as_alice("post", f"/trash/{task['id']}/restore")

    assert (response.status_code, response.json()) == (200, task)


def test_purging_a_task_leaves_a_tombstone(as_alice):
    task = trashed(as_alice)
    response = as_alice("delete", f"/trash/{task['id']}")

    assert response.status_code == 200
    assert response.json() == {
        "kind": "task",
        "id": task["id"],
        "version": task["version"] + 1,
        "purged": True,
    }
    assert not Task.objects.exists()
    assert as_alice("get", "/sync?since=0").json()["changes"] == [response.json()]


@pytest.mark.parametrize(("method", "path"), [("delete", ""), ("get", ""), ("post", "/restore")])
def test_a_purged_task_is_not_found(as_alice, method, path):
    task = trashed(as_alice)
    as_alice("delete", f"/trash/{task['id']}")

    assert_error(as_alice(method, f"/trash/{task['id']}{path}"), 404, "NOT_FOUND")
    assert_error(as_alice("delete", f"/tasks/{task['id']}"), 404, "NOT_FOUND")
    assert Tombstone.objects.count() == 1


@pytest.mark.parametrize(("method", "path"), [("delete", ""), ("get", "")])
def test_a_live_task_is_not_in_the_trash(as_alice, task, method, path):
    assert_error(as_alice(method, f"/trash/{task['id']}{path}"), 404, "NOT_FOUND")
    assert as_alice("get", f"/tasks/{task['id']}").json() == task


@pytest.mark.parametrize("stale", ['"1"', 'W/"2"', '"02"', '"abc"', '"-1"', f'"{10**18}"'])
def test_a_purge_with_a_stale_if_match_is_refused(as_alice, stale):
    task = trashed(as_alice)

    response = as_alice("delete", f"/trash/{task['id']}", **{"If-Match": stale})
    error = assert_error(response, 412, "PRECONDITION_FAILED")
    assert error["details"] == {"current": task}
    assert as_alice("get", f"/trash/{task['id']}").json() == task

    fresh = {"If-Match": f'"{task["version"]}"'}
    assert as_alice("delete", f"/trash/{task['id']}", **fresh).json()["purged"] is True


def test_a_restore_with_a_stale_if_match_is_refused(as_alice):
    task = trashed(as_alice)

    response = as_alice("post", f"/trash/{task['id']}/restore", **{"If-Match": '"1"'})
    assert assert_error(response, 412, "PRECONDITION_FAILED")["details"] == {"current": task}


def test_emptying_the_trash_purges_all_trashed_tasks(as_alice):
    kept = create_task(as_alice)
    gone = {trashed(as_alice)["id"] for _ in range(3)}
    response = as_alice("delete", "/trash")

    changes = as_alice("get", "/sync").json()["changes"]
    assert (response.status_code, response.json()) == (200, {"purged": 3})
    assert ids(as_alice("get", "/trash")) == set()
    assert ids(as_alice("get", "/tasks")) == {kept["id"]}
    assert {change["id"] for change in changes if change.get("purged")} == gone
    assert len({change["version"] for change in changes}) == 4


def test_emptying_the_trash_with_a_stale_if_match_is_refused(as_alice):
    seen = as_alice("get", "/trash")["ETag"]
    unseen = trashed(as_alice)

    assert_error(as_alice("delete", "/trash", **{"If-Match": seen}), 412, "PRECONDITION_FAILED")
    assert as_alice("get", f"/trash/{unseen['id']}").json() == unseen

    current = as_alice("get", "/trash")["ETag"]
    assert as_alice("delete", "/trash", **{"If-Match": current}).json() == {"purged": 1}


def test_emptying_an_empty_trash_purges_nothing(as_alice):
    trashed(as_alice)
    as_alice("delete", "/trash")

    assert as_alice("delete", "/trash").json() == {"purged": 0}
    assert Tombstone.objects.count() == 1


@pytest.mark.parametrize("number", [4, 5, 6])
def test_emptying_the_trash_purges_in_batches(as_alice, monkeypatch, number):
    monkeypatch.setattr(trash, "BATCH_SIZE", 2)
    gone = {trashed(as_alice)["id"] for _ in range(number)}

    assert as_alice("delete", "/trash").json() == {"purged": number}
    assert {str(task) for task in Tombstone.objects.values_list("object_id", flat=True)} == gone
    assert create_task(as_alice)["version"] > max(Tombstone.objects.values_list("version", flat=True))


@pytest.mark.parametrize(
    ("method", "path"),
    [("delete", "/trash"), ("delete", f"/trash/{UNKNOWN_ID}"), ("post", f"/trash/{UNKNOWN_ID}/restore")],
)
def test_a_purge_and_a_restore_accept_no_body(as_alice, method, path):
    assert_error(as_alice(method, path, {"x": 1}), 400, "VALIDATION_ERROR", field="x")
