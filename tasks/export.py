"""A person's tasks, for GET /me/export."""

from collections.abc import Iterator
from typing import Any

import orjson

from .models import Task
from .querysets import TaskQuerySet
from .representation import fragments

AT_ONCE = 1000


def tasks(user: Any) -> Iterator[tuple[str, Iterator[orjson.Fragment]]]:
    """All, those in the trash too, in the order of their last change."""
    yield "tasks", _walk(Task.objects.for_user(user).order_by("version"))


def _walk(owned: TaskQuerySet) -> Iterator[orjson.Fragment]:
    """Some at a time: behind a pooler a cursor of the server's would give all of them at once."""
    rows = list(owned.versions_and_json()[:AT_ONCE])
    yield from fragments(text for _, text in rows)
    while len(rows) == AT_ONCE:
        last, _ = rows[-1]
        rows = list(owned.since(last).versions_and_json()[:AT_ONCE])
        yield from fragments(text for _, text in rows)
