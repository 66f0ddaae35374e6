"""Create tasks over HTTP or in the database, and read all tasks of a user."""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from tasks import positions
from tasks.ledger.kinds import kinds
from tasks.ledger.models import Clock, Tombstone
from tasks.ledger.trash import prune_tombstones_of
from tasks.models import Task

from .caller import API, Caller


def create_task(caller: Caller, title: str = "milk", **fields: Any) -> dict[str, Any]:
    """Create a task; return it as in the response."""
    response = caller("post", "/tasks", {"title": title, **fields})
    assert response.status_code == 201, response.content
    answer: dict[str, Any] = response.json()
    return answer


def create(caller: Caller, path: str, **fields: Any) -> dict[str, Any]:
    """Create an object of any kind; return it as in the response."""
    response = caller("post", path, fields)
    assert response.status_code == 201, response.content
    answer: dict[str, Any] = response.json()
    return answer


def trashed(caller: Caller, **fields: Any) -> dict[str, Any]:
    """Create a task and move it to the trash; return it as in the response."""
    answer: dict[str, Any] = caller("delete", f"/tasks/{create_task(caller, **fields)['id']}").json()
    return answer


def store_tasks(owner: Any, *rows: dict[str, Any]) -> list[Task]:
    """Insert tasks with ids and times that no request can set."""
    clock = Clock.objects.lock(owner)
    tasks = []
    for row in rows:
        version = clock.next_version()
        tasks.append(Task(owner=owner, version=version, position=positions.last(version), **row))
    clock.count("task", Counter(task.state for task in tasks))
    Clock.objects.store(clock)
    return Task.objects.bulk_create(tasks)


def entry(task: dict[str, Any]) -> dict[str, Any]:
    """A task as a change in the feed, or as a result of a bulk request."""
    return {"kind": "task", **task}


def position(caller: Caller, version: int, *more: str) -> str:
    """The `since` of a client that has seen this version."""
    epoch = caller("get", "/sync").json()["since"].partition("-")[0]
    return "-".join([epoch, str(version), *more])


def prune_tombstones(owner: Any, *, up_to: int) -> int:
    """Prune all tombstones up to this version, as if they were past their retention period."""
    an_hour_ago = timezone.now() - dt.timedelta(hours=1)
    Tombstone.objects.for_user(owner).filter(version__lte=up_to).update(purged_at=an_hour_ago)
    return prune_tombstones_of(owner, before=an_hour_ago + dt.timedelta(minutes=1))


def server_entries(get: Callable[[str], Any]) -> dict[str, Any]:
    """All objects of a user, live, archived and trashed, by id, as the feed lists them."""
    entries: dict[str, Any] = {}
    for kind in kinds.values():
        archived = "&archived=true" if kind.name in {"task", "project"} else ""
        paths = [f"/{kind.plural}?limit=200{archived}", f"/trash?kind={kind.name}&limit=200"]
        for path in paths[: 1 + kind.has_trash]:
            while path:
                page = get(path)
                entries |= {each["id"]: {"kind": kind.name, **each} for each in page["results"]}
                path = (page["next"] or "").partition(API)[2]
    return entries
