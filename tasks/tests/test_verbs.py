"""POST /tasks/{id}/complete and /reopen; repeating them changes nothing."""

import pytest

from tests.support.assertions import assert_error
from tests.support.tasks import create_task, trashed


def test_completing_a_task_sets_completed_at(as_alice, task):
    response = as_alice("post", f"/tasks/{task['id']}/complete")

    completed = response.json()
    assert response.status_code == 200
    assert completed["completed"] is True
    assert completed["completed_at"] == completed["updated_at"]
    assert completed["version"] == task["version"] + 1
    assert response["ETag"] == f'"{completed["version"]}"'
    assert as_alice("get", f"/tasks/{task['id']}").json() == completed


def test_reopening_a_task_clears_completed_at(as_alice):
    task = create_task(as_alice, completed=True)
    reopened = as_alice("post", f"/tasks/{task['id']}/reopen").json()

    assert (reopened["completed"], reopened["completed_at"]) == (False, None)
    assert reopened["version"] == task["version"] + 1


@pytest.mark.parametrize(("verb", "completed"), [("complete", True), ("reopen", False)])
def test_repeating_complete_or_reopen_changes_nothing(as_alice, verb, completed):
    task = create_task(as_alice, completed=completed)
    response = as_alice("post", f"/tasks/{task['id']}/{verb}")

    assert response.status_code == 200
    assert response.json() == task
    assert create_task(as_alice)["version"] == task["version"] + 1


@pytest.mark.parametrize("verb", ["complete", "reopen"])
def test_a_trashed_task_is_not_found(as_alice, verb):
    task = trashed(as_alice)

    assert_error(as_alice("post", f"/tasks/{task['id']}/{verb}"), 404, "NOT_FOUND")
    assert as_alice("get", f"/trash/{task['id']}").json() == task


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_a_method_other_than_post_is_405(as_alice, task, method):
    response = as_alice(method, f"/tasks/{task['id']}/complete")

    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "POST"
