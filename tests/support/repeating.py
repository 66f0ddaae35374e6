"""Repeating tasks: create and complete them over HTTP, and find the next occurrence."""

from typing import Any

from .caller import Caller
from .tasks import create_task

DAILY, WEEKLY, MONTHLY = ({"rule": f"FREQ={each}"} for each in ("DAILY", "WEEKLY", "MONTHLY"))


def repeating(caller: Caller, **fields: Any) -> dict[str, Any]:
    """Create a task, by default one that is due every day from the end of January 2999 on."""
    return create_task(caller, **{"due_date": "2999-01-31", "repeat": DAILY, **fields})


def post(caller: Caller, task: dict[str, Any], verb: str, body: Any = None) -> dict[str, Any]:
    """Post to a route of a task; return the task as in the response."""
    response = caller("post", f"/tasks/{task['id']}/{verb}", body)
    assert response.status_code == 200, response.content
    changed: dict[str, Any] = response.json()
    return changed


def open_occurrences(caller: Caller, task: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of a task's series."""
    found: list[dict[str, Any]] = caller("get", f"/tasks?series={task['series']}&completed=false").json()[
        "results"
    ]
    return found


def next_of(caller: Caller, task: dict[str, Any]) -> dict[str, Any]:
    """The only open occurrence of a task's series."""
    [found] = open_occurrences(caller, task)
    return found
