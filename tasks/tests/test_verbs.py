"""POST /tasks/{id}/complete and /reopen: repeatable, the first time stands."""

import pytest

from tests.support.assertions import assert_error
from tests.support.tasks import create_task, trashed


def test_completing(as_alice, task):
    response = as_alice("post", f"/tasks/{task['id']}/complete")

    completed = response.json()
    assert response.status_code == 200
    assert completed["completed"] is True
    assert completed["completed_at"] == completed["updated_at"]
    assert completed["version"] == task["version"] + 1
    assert response["ETag"] == f'"{completed["version"]}"'
    assert as_alice("get", f"/tasks/{task['id']}").json() == completed


def test_reopening(as_alice):
    task = create_task(as_alice, completed=True)
    reopened = as_alice("post", f"/tasks/{task['id']}/reopen").json()

    assert (reopened["completed"], reopened["completed_at"]) == (False, None)
    assert reopened["version"] == task["version"] + 1


@pytest.mark.parametrize(("verb", "completed"), [("complete", True), ("reopen", False)])
def test_repeating_changes_nothing(as_alice, verb, completed):
    task = create_task(as_alice, completed=completed)
    response = as_alice("post", f"/tasks/{task['id']}/{verb}")

    assert response.status_code == 200
    assert response.json() == task
    assert create_task(as_alice)["version"] == task["version"] + 1


@pytest.mark.parametrize("verb", ["complete", "reopen"])
def test_what_is_in_the_trash_is_not_found(as_alice, verb):
    task = trashed(as_alice)

    assert_error(as_alice("post", f"/tasks/{task['id']}/{verb}"), 404, "NOT_FOUND")
    assert as_alice("get", f"/trash/{task['id']}").json() == task


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_a_verb_is_posted(as_alice, task, method):
    response = as_alice(method, f"/tasks/{task['id']}/complete")

    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "POST"
