"""The description tells the headers that are sent, and no other."""

import pytest

from tests.support.tasks import create_task, trashed
from todo_project.api.schema import document

TOLD = {"ETag", "Location", "Idempotent-Replayed"}


def told_of(method, path, status):
    schema, _ = document()
    return TOLD & schema["paths"][f"/api/v1{path}"][method]["responses"][str(status)]["headers"].keys()


def sent(response):
    return {name for name in TOLD if name in response}


@pytest.fixture
def ids(as_alice):
    return {"task": create_task(as_alice)["id"], "trashed": trashed(as_alice)["id"]}


@pytest.mark.parametrize(
    ("method", "path", "of", "body", "status"),
    [
        ("get", "/tasks", None, None, 200),
        ("post", "/tasks", None, {"title": "milk"}, 201),
        ("get", "/tasks/{id}", "task", None, 200),
        ("patch", "/tasks/{id}", "task", {"priority": 1}, 200),
        ("put", "/tasks/{id}", "task", {"title": "milk"}, 200),
        ("delete", "/tasks/{id}", "task", None, 200),
        ("post", "/tasks/{id}/complete", "task", None, 200),
        ("post", "/tasks/{id}/reopen", "task", None, 200),
        ("post", "/tasks/bulk", None, {"operations": [{"op": "create", "data": {"title": "milk"}}]}, 200),
        ("get", "/tasks/stats", None, None, 200),
        ("get", "/trash", None, None, 200),
        ("get", "/trash/{id}", "trashed", None, 200),
        ("post", "/trash/{id}/restore", "trashed", None, 200),
        ("delete", "/trash/{id}", "trashed", None, 200),
        ("delete", "/trash", None, None, 200),
        ("get", "/sync", None, None, 200),
    ],
)
def test_headers_are_told_and_sent(as_alice, ids, method, path, of, body, status):
    where, key = path.format(id=ids.get(of)), {"Idempotency-Key": "one"} if method == "post" else {}
    response = as_alice(method, where, body, **key)
    again = as_alice(method, where, body, **key) if key else response

    assert (response.status_code, again.status_code) == (status, status)
    assert sent(response) | sent(again) == told_of(method, path, status)


def test_what_refusals_say_in_headers_is_told(client):
    schema, _ = document()
    answers = {name: {*answer["headers"]} for name, answer in schema["components"]["responses"].items()}

    assert "WWW-Authenticate" in client.get("/api/v1/tasks")
    assert "WWW-Authenticate" in answers["Unauthorized"]
    assert "Retry-After" in answers["TooManyRequests"] & answers["ServiceUnavailable"]
    assert "X-Request-ID" in set.intersection(*answers.values())


def test_a_key_is_not_offered_where_it_is_not_heeded():
    schema, _ = document()
    named = [each.get("name") for each in schema["paths"]["/api/v1/me/tokens"]["post"].get("parameters", [])]

    assert "Idempotency-Key" not in named
