"""The number of Python function calls of frequent requests: their cost, whatever the speed of the machine."""

import json
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.client import ClientHandler

from tests.support.caller import API, PASSWORD
from tests.support.calls import python_calls
from tests.support.tasks import create_task

MARGIN = 1.03
"""For other versions of Python and of the packages."""

# Counted with Python 3.11. A number that has become smaller is lowered here, so that it does not grow again.
BUDGETS: dict[str, dict[str, int]] = {
    "postgresql": {
        "page": 790, "unchanged page": 631, "task": 670, "sync": 824, "update": 788, "create": 914,
        "bulk": 10970, "search": 877, "ids": 1715, "labels": 4418, "sign-in": 1634,
    },
    "sqlite": {
        "page": 820, "unchanged page": 655, "task": 700, "sync": 949, "update": 1301, "create": 1299,
        "bulk": 11873, "search": 909, "ids": 1717, "labels": 4134, "sign-in": 1664,
    },
}  # fmt: skip


@pytest.fixture
def send(as_alice):
    """Sends a request, with few function calls of the test client."""
    handler = ClientHandler(enforce_csrf_checks=False)
    authorization = {"Authorization": f"Bearer {as_alice.token}"}

    def send(method: str, path: str, body: Any = None, **headers: str) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        request = RequestFactory(headers={**authorization, **headers}).generic(
            method, API + path, content, "application/json"
        )
        assert handler(request.environ).status_code in {200, 201, 304}

    return send


@pytest.mark.parametrize("name", BUDGETS["postgresql"])
def test_a_frequent_request_makes_no_more_function_calls(send, as_alice, name):
    tasks = [create_task(as_alice, title=f"Task {number}") for number in range(60)]
    etag = as_alice("get", "/tasks")["ETag"]
    ids = ",".join(task["id"] for task in tasks)
    one, rename = f"/tasks/{tasks[0]['id']}", {"title": "renamed"}
    operations = [{"op": "update", "id": task["id"], "data": rename} for task in tasks[:50]]
    request = {
        "page": ("GET", "/tasks"),
        "unchanged page": ("GET", "/tasks"),
        "task": ("GET", one),
        "sync": ("GET", "/sync?limit=50"),
        "update": ("PATCH", one, rename),
        "create": ("POST", "/tasks", {"title": "milk", "description": "two bottles"}),
        "search": ("GET", "/tasks?q=task"),
        "ids": ("GET", f"/tasks?ids={ids}"),
        "labels": ("GET", f"/tasks?label={ids}"),
        "bulk": ("POST", "/bulk", {"operations": operations}),
        "sign-in": ("POST", "/auth/token", {"email": "alice@example.com", "password": PASSWORD}),
    }[name]
    headers = {"If-None-Match": etag} if name == "unchanged page" else {}

    assert python_calls(partial(send, *request, **headers)) <= MARGIN * BUDGETS[connection.vendor][name]
