"""Create tasks over HTTP or in the database, and read all tasks of a user."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from tasks.models import Clock, Task, Tombstone
from tasks.trash import prune_tombstones_of

from .caller import API, Caller


def create_task(caller: Caller, title: str = "milk", **fields: Any) -> dict[str, Any]:
    """Create a task; return it as in the response."""
    response = caller("post", "/tasks", {"title": title, **fields})
    assert response.status_code == 201, response.content
    answer: dict[str, Any] = response.json()
    return answer


def trashed(caller: Caller, **fields: Any) -> dict[str, Any]:
    """Create a task and move it to the trash; return it as in the response."""
    answer: dict[str, Any] = caller("delete", f"/tasks/{create_task(caller, **fields)['id']}").json()
    return answer


def store_tasks(owner: Any, *rows: dict[str, Any]) -> list[Task]:
    """Insert tasks with ids and times that no request can set."""
    versions = Clock.objects.tick(owner, by=len(rows))
    tasks = [Task(owner=owner, version=version, **row) for version, row in zip(versions, rows, strict=True)]
    return Task.objects.bulk_create(tasks)


def prune_tombstones(owner: Any, *, up_to: int) -> int:
    """Prune all tombstones up to this version, as if they were past their retention period."""
    an_hour_ago = timezone.now() - dt.timedelta(hours=1)
    Tombstone.objects.for_user(owner).filter(version__lte=up_to).update(purged_at=an_hour_ago)
    return prune_tombstones_of(owner, before=an_hour_ago + dt.timedelta(minutes=1))


def server_state(get: Callable[[str], Any]) -> dict[str, Any]:
    """All tasks of a user, live and trashed, by id."""
    tasks: dict[str, Any] = {}
    for path in ("/tasks?limit=200", "/trash?limit=200"):
        while path:
            page = get(path)
            tasks |= {task["id"]: task for task in page["results"]}
            path = (page["next"] or "").partition(API)[2]
    return tasks
