"""Tasks made over HTTP, and what the server has of them."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from tasks.models import Tombstone
from tasks.trash import prune_tombstones_of

from .caller import API, Caller


def create_task(caller: Caller, title: str = "milk", **fields: Any) -> dict[str, Any]:
    """A new task of this caller, as it was answered."""
    response = caller("post", "/tasks", {"title": title, **fields})
    assert response.status_code == 201, response.content
    answer: dict[str, Any] = response.json()
    return answer


def trashed(caller: Caller, **fields: Any) -> dict[str, Any]:
    """A task that was made and moved to the trash."""
    answer: dict[str, Any] = caller("delete", f"/tasks/{create_task(caller, **fields)['id']}").json()
    return answer


UNKNOWN_ID = "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52"


def forget(owner: Any, up_to: int) -> int:
    """All tombstones up to a version, as those that are too old."""
    an_hour_ago = timezone.now() - dt.timedelta(hours=1)
    Tombstone.objects.for_user(owner).filter(version__lte=up_to).update(purged_at=an_hour_ago)
    return prune_tombstones_of(owner, before=an_hour_ago + dt.timedelta(minutes=1))


def server_state(get: Callable[[str], Any]) -> dict[str, Any]:
    """All tasks that the server has, live and trashed, as its lists tell them."""
    found: dict[str, Any] = {}
    for path in ("/tasks?limit=200", "/trash?limit=200"):
        while path:
            page = get(path)
            found |= {task["id"]: task for task in page["results"]}
            path = (page["next"] or "").partition(API)[2]
    return found
