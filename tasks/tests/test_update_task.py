"""GET, PUT and PATCH /tasks/{id}."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.models import Task
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.tasks import create_task, trashed

FULL: dict[str, Any] = {
    "description": "two litres",
    "completed": True,
    "priority": 2,
    "due_at": "2030-01-31T09:00:00Z",
}


@pytest.fixture
def task(as_alice):
    """A task with a value in every field."""
    return create_task(as_alice, **FULL)


@pytest.fixture
def path(task):
    return f"/tasks/{task['id']}"


def differences(before, after):
    return {name: value for name, value in after.items() if value != before[name]}


def test_a_task_is_returned_with_an_etag_and_is_304_for_that_etag(as_alice, task, path):
    response = as_alice("get", path)
    unchanged = as_alice("get", path, **{"If-None-Match": response["ETag"]})

    assert response.json() == task
    assert response["ETag"] == f'"{task["version"]}"'
    assert (unchanged.status_code, unchanged.content) == (304, b"")


CHANGES = [
    # An absent field, null and an empty string differ.
    ({"title": "bread"}, {"title": "bread"}),
    ({"title": "  bread "}, {"title": "bread"}),
    ({"description": "rye"}, {"description": "rye"}),
    ({"description": ""}, {"description": ""}),
    ({"description": None}, {"description": ""}),
    ({"completed": False}, {"completed": False, "completed_at": None}),
    ({"priority": 0}, {"priority": 0}),
    ({"due_at": None}, {"due_at": None}),
    ({"due_at": "2031-01-31T09:00:00Z"}, {"due_at": "2031-01-31T09:00:00.000000Z"}),
    ({"title": "bread", "priority": 1}, {"title": "bread", "priority": 1}),
    ({"title": "milk"}, {}),
]


@pytest.mark.parametrize(("sent", "expected"), CHANGES)
def test_a_patch_changes_only_the_fields_in_the_body(as_alice, task, path, sent, expected):
    response = as_alice("patch", path, sent)

    changed = differences(task, response.json())
    assert response.status_code == 200
    assert changed.pop("version") == task["version"] + 1
    assert changed.pop("updated_at") > task["updated_at"]
    assert changed == expected
    assert response["ETag"] == f'"{response.json()["version"]}"'
    assert as_alice("get", path).json() == response.json()


def test_an_empty_patch_changes_nothing(as_alice, task, path):
    response = as_alice("patch", path, {})

    assert response.json() == task
    assert response["ETag"] == f'"{task["version"]}"'


def test_a_patch_without_a_body_is_refused(as_alice, task, path):
    assert_error(as_alice("patch", path), 400, "MALFORMED_REQUEST")
    assert as_alice("get", path).json() == task


def test_completing_by_patch_twice_keeps_the_first_completed_at(as_alice):
    path = f"/tasks/{create_task(as_alice)['id']}"
    first = as_alice("patch", path, {"completed": True}).json()
    again = as_alice("patch", path, {"completed": True}).json()

    assert first["completed_at"] == first["updated_at"]
    assert again == first


def test_a_put_resets_omitted_fields_to_their_defaults(as_alice, task, path):
    response = as_alice("put", path, {"title": "bread"})

    changed = differences(task, response.json())
    del changed["version"], changed["updated_at"]
    assert changed == {
        "title": "bread",
        "description": "",
        "completed": False,
        "completed_at": None,
        "priority": 0,
        "due_at": None,
    }
    assert as_alice("get", path).json() == response.json()


def test_a_put_of_the_current_values_changes_only_version_and_updated_at(as_alice, task, path):
    sent = {name: task[name] for name in ("title", *FULL)}
    changed = differences(task, as_alice("put", path, sent).json())

    assert set(changed) == {"version", "updated_at"}


INVALID = [
    ({"title": None}, "title", "null"),
    ({"title": ""}, "title", "blank"),
    ({"title": "bread", "completed": None}, "completed", "null"),
    ({"title": "bread", "priority": None}, "priority", "null"),
    ({"title": "bread", "due_at": ""}, "due_at", "invalid"),
    ({"title": "bread", "due_at": "2030-01-31T09:00:00"}, "due_at", "offset"),
    ({"title": "bread", "version": 1}, "version", "read_only"),
    ({"title": "bread", "deleted_at": None}, "deleted_at", "read_only"),
    ({"title": "bread", "completed_at": "2030-01-31T09:00:00Z"}, "completed_at", "read_only"),
    ({"title": "bread", "colour": "red"}, "colour", "unknown"),
]


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(("body", "field", "constraint"), INVALID)
def test_an_invalid_body_is_refused(as_alice, task, path, method, body, field, constraint):
    response = as_alice(method, path, body)

    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)
    assert as_alice("get", path).json() == task


def test_a_put_without_a_title_is_refused(as_alice, task, path):
    assert_error(as_alice("put", path, {"priority": 1}), 400, "VALIDATION_ERROR", field="title")
    assert as_alice("get", path).json() == task


@pytest.mark.parametrize("method", ["get", "put", "patch"])
def test_a_missing_or_trashed_task_is_not_found(as_alice, method):
    body = None if method == "get" else {"title": "bread"}
    in_the_trash = trashed(as_alice)

    assert_error(as_alice(method, f"/tasks/{UNKNOWN_ID}", body), 404, "NOT_FOUND")
    assert_error(as_alice(method, f"/tasks/{in_the_trash['id']}", body), 404, "NOT_FOUND")
    assert as_alice("get", f"/trash/{in_the_trash['id']}").json() == in_the_trash


WRITES = [
    ("put", "", {"title": "bread"}),
    ("patch", "", {"title": "bread"}),
    ("patch", "", {}),
    ("delete", "", None),
    ("post", "/complete", None),
    ("post", "/reopen", None),
]


@pytest.mark.parametrize(("method", "verb", "body"), WRITES)
def test_a_write_with_a_stale_if_match_is_refused(as_alice, task, path, method, verb, body):
    current = as_alice("patch", path, {"priority": 1}).json()
    stale = {"If-Match": f'"{task["version"]}"'}

    error = assert_error(as_alice(method, path + verb, body, **stale), 412, "PRECONDITION_FAILED")
    assert error["details"] == {"current": current}
    assert as_alice("get", path).json() == current

    fresh = {"If-Match": f'"{current["version"]}"'}
    assert as_alice(method, path + verb, body, **fresh).status_code == 200


@pytest.mark.parametrize("if_match", ['W/"{version}"', '"{user_id}"'])
def test_an_if_match_that_is_no_version_matches_no_task(as_alice, task, path, if_match):
    response = as_alice("patch", path, {"title": "bread"}, **{"If-Match": if_match.format(**task)})

    assert_error(response, 412, "PRECONDITION_FAILED")
    assert as_alice("get", path).json() == task


@pytest.mark.parametrize(("method", "verb", "body"), WRITES)
def test_a_write_with_if_match_to_a_missing_task_is_404(as_alice, method, verb, body):
    response = as_alice(method, f"/tasks/{UNKNOWN_ID}{verb}", body, **{"If-Match": '"1"'})

    assert_error(response, 404, "NOT_FOUND")


@pytest.mark.parametrize(("method", "verb"), [("delete", ""), ("post", "/complete"), ("post", "/reopen")])
def test_delete_complete_and_reopen_accept_no_body(as_alice, task, path, method, verb):
    assert_error(as_alice(method, path + verb, {"at": "now"}), 400, "VALIDATION_ERROR", field="at")
    assert as_alice("get", path).json() == task


def test_a_patch_writes_only_the_columns_in_the_body(as_alice, path):
    with CaptureQueriesContext(connection) as queries:
        as_alice("patch", path, {"title": "bread"})
    [update] = [query["sql"] for query in queries if 'UPDATE "tasks_task"' in query["sql"]]

    assert '"title" =' in update
    assert '"version" =' in update
    for column in ("description", "completed", "priority", "due_at", "created_at", "deleted_at"):
        assert f'"{column}" =' not in update


def test_a_change_that_bypasses_the_clock_is_a_conflict_and_not_overwritten(as_alice, path, monkeypatch):
    """For example a change in psql between the read and the write; the UPDATE filters by version."""
    original = Task.set_fields

    def set_fields(self, values, *, at):
        Task.objects.filter(owner=self.owner, pk=self.pk).update(title="by hand", version=1000)
        return original(self, values, at=at)

    monkeypatch.setattr(Task, "set_fields", set_fields)

    # A title alone is written in one statement, which reads nothing before.
    assert_error(as_alice("patch", path, {"title": "bread", "due_date": None}), 409, "CONFLICT")
