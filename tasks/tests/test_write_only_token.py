"""A personal token with tasks:write and without tasks:read learns nothing about the tasks."""

import pytest
from django.urls import reverse

from tests.support.assertions import assert_error
from tests.support.caller import API, Caller
from tests.support.tasks import create_task

BULK = reverse("bulk").removeprefix(API)


def caller_with(as_alice, *scopes):
    token = as_alice("post", "/me/tokens", {"name": " ".join(scopes), "scopes": scopes}).json()["token"]
    return Caller(token)


@pytest.fixture
def writer(as_alice):
    return caller_with(as_alice, "tasks:write")


@pytest.fixture
def task(as_alice):
    return create_task(as_alice, "a secret title", description="a secret description")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("put", "/tasks/{id}", {"title": "bread"}),
        ("patch", "/tasks/{id}", {}),
        ("patch", "/tasks/{id}?dry_run=true", {"priority": 1}),
        ("post", "/tasks/{id}/complete", None),
        ("delete", "/tasks/{id}", None),
    ],
)
def test_the_response_to_a_write_shows_only_the_id_and_the_version(writer, task, method, path, body):
    response = writer(method, path.format(**task), body)

    assert response.status_code == 200
    assert sorted(response.json()) == ["id", "version"]
    assert response.json()["id"] == task["id"]


def test_the_response_to_a_creation_shows_only_the_id_and_the_version(writer, as_alice, task):
    assert sorted(writer("post", "/tasks", {"title": "bread"}).json()) == ["id", "version"]

    created = as_alice("post", "/tasks", {"title": "a secret title", "key": "k"}).json()
    assert writer("post", "/tasks", {"title": "x", "key": "k"}).json() == {
        "id": created["id"], "version": created["version"],
    }  # fmt: skip


def test_the_results_of_a_bulk_request_show_only_the_ids_and_the_versions(writer, task):
    operations = [{"op": "create", "data": {"title": "bread"}}, {"op": "complete", "id": task["id"]}]
    results = writer("post", BULK, {"operations": operations}).json()["results"]

    assert [set(result) <= {"id", "kind", "version"} for result in results] == [True, True]
    assert results[1]["id"] == task["id"]


def test_a_conflict_shows_only_the_id_and_the_version_of_the_current_task(writer, task):
    response = writer("patch", f"/tasks/{task['id']}", {"title": "bread"}, **{"If-Match": '"9"'})

    error = assert_error(response, 412, "PRECONDITION_FAILED")
    assert error["details"]["current"] == {"id": task["id"], "version": task["version"]}


def test_a_stored_response_shows_only_what_the_token_may_read(as_alice, writer):
    key = {"Idempotency-Key": "k"}
    first = as_alice("post", "/tasks", {"title": "milk"}, **key)
    retry = writer("post", "/tasks", {"title": "milk"}, **key)

    assert retry["Idempotent-Replayed"] == "true"
    assert retry.json() == {"id": first.json()["id"], "version": first.json()["version"]}
    assert as_alice("post", "/tasks", {"title": "milk"}, **key).content == first.content


def test_a_token_that_may_read_too_gets_the_whole_task(as_alice, task):
    caller = caller_with(as_alice, "tasks:read", "tasks:write")

    assert caller("patch", f"/tasks/{task['id']}", {}).json() == task


@pytest.mark.parametrize("path", ["/tasks", "/tasks/{id}", "/sync?since=0", "/trash"])
def test_reading_requires_the_scope_tasks_read(writer, task, path):
    error = assert_error(writer("get", path.format(**task)), 403, "INSUFFICIENT_SCOPE")

    assert error["details"] == {"scope": "tasks:read"}
