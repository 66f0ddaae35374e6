"""The number of Python function calls of frequent requests: their cost, whatever the speed of the machine."""

import json
import sys
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.client import ClientHandler

from tests.support.caller import API
from tests.support.tasks import create_task

MARGIN = 1.03
"""For other versions of Python and of the packages."""

# Counted with Python 3.11. A number that has become smaller is lowered here, so that it does not grow again.
BUDGETS: dict[str, dict[str, int]] = {
    "postgresql": {
        "page": 791, "unchanged page": 609, "task": 648, "sync": 827, "update": 796, "create": 925,
    },
    "sqlite": {
        "page": 814, "unchanged page": 626, "task": 679, "sync": 945, "update": 1346, "create": 1334,
    },
}  # fmt: skip


@pytest.fixture
def send(as_alice):
    """Sends a request and counts its function calls, with few of the test client."""
    handler = ClientHandler(enforce_csrf_checks=False)
    authorization = {"Authorization": f"Bearer {as_alice.token}"}

    def send(method: str, path: str, body: Any = None, **headers: str) -> int:
        content = b"" if body is None else json.dumps(body).encode()
        calls = 0

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event == "call"

        request = RequestFactory(headers={**authorization, **headers}).generic(
            method, API + path, content, "application/json"
        )
        sys.setprofile(count)
        try:
            response = handler(request.environ)
        finally:
            sys.setprofile(None)
        assert response.status_code in {200, 201, 304}
        return calls

    return send


@pytest.mark.parametrize("name", ["page", "unchanged page", "task", "sync", "update", "create"])
def test_a_frequent_request_makes_no_more_function_calls(send, as_alice, name):
    tasks = [create_task(as_alice, title=f"Task {number}") for number in range(60)]
    etag = as_alice("get", "/tasks")["ETag"]
    one = f"/tasks/{tasks[0]['id']}"
    request = {
        "page": ("GET", "/tasks"),
        "unchanged page": ("GET", "/tasks"),
        "task": ("GET", one),
        "sync": ("GET", "/sync?limit=50"),
        "update": ("PATCH", one, {"title": "renamed"}),
        "create": ("POST", "/tasks", {"title": "milk", "description": "two bottles"}),
    }[name]
    headers = {"If-None-Match": etag} if name == "unchanged page" else {}
    for _ in range(3):  # What is compiled or imported once does not count.
        send(*request, **headers)

    assert send(*request, **headers) <= MARGIN * BUDGETS[connection.vendor][name]
