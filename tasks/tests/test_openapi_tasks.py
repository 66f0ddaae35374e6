"""The OpenAPI document lists exactly the headers that responses contain."""

import pytest

from tests.support.tasks import create_task, trashed
from todo_project.api.schema import document

HEADERS = {"ETag", "Location", "Idempotent-Replayed"}


def documented_headers(method, path, status):
    schema, _ = document()
    return HEADERS & schema["paths"][f"/api/v1{path}"][method]["responses"][str(status)]["headers"].keys()


def response_headers(response):
    return {name for name in HEADERS if name in response}


@pytest.fixture
def ids(as_alice):
    return {"task": create_task(as_alice)["id"], "trashed": trashed(as_alice)["id"]}


@pytest.mark.parametrize(
    ("method", "path", "state", "body", "status"),
    [
        ("get", "/tasks", None, None, 200),
        ("post", "/tasks", None, {"title": "milk"}, 201),
        ("get", "/tasks/{id}", "task", None, 200),
        ("patch", "/tasks/{id}", "task", {"priority": 1}, 200),
        ("put", "/tasks/{id}", "task", {"title": "milk"}, 200),
        ("delete", "/tasks/{id}", "task", None, 200),
        ("post", "/tasks/{id}/complete", "task", None, 200),
        ("post", "/tasks/{id}/reopen", "task", None, 200),
        ("post", "/bulk", None, {"operations": [{"op": "create", "data": {"title": "milk"}}]}, 200),
        ("get", "/tasks/stats", None, None, 200),
        ("get", "/trash", None, None, 200),
        ("get", "/trash/{id}", "trashed", None, 200),
        ("post", "/trash/{id}/restore", "trashed", None, 200),
        ("delete", "/trash/{id}", "trashed", None, 200),
        ("delete", "/trash", None, None, 200),
        ("get", "/sync", None, None, 200),
    ],
)
def test_an_operation_documents_the_headers_it_sends(as_alice, ids, method, path, state, body, status):
    url, key = path.format(id=ids.get(state)), {"Idempotency-Key": "one"} if method == "post" else {}
    first = as_alice(method, url, body, **key)
    retry = as_alice(method, url, body, **key) if key else first

    assert (first.status_code, retry.status_code) == (status, status)
    assert response_headers(first) | response_headers(retry) == documented_headers(method, path, status)


def test_headers_of_errors_are_documented(client):
    schema, _ = document()
    answers = {name: {*answer["headers"]} for name, answer in schema["components"]["responses"].items()}

    assert "WWW-Authenticate" in client.get("/api/v1/tasks")
    assert "WWW-Authenticate" in answers["Unauthorized"]
    assert "Retry-After" in answers["TooManyRequests"] & answers["ServiceUnavailable"]
    assert "X-Request-ID" in set.intersection(*answers.values())


def test_an_idempotency_key_is_not_documented_where_it_has_no_effect():
    schema, _ = document()
    named = [each.get("name") for each in schema["paths"]["/api/v1/me/tokens"]["post"].get("parameters", [])]

    assert "Idempotency-Key" not in named
