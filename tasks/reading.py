"""Tasks as they are read: one, or a page of those that match. Each way to ask is put into SQL once."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import DateTimeField, IntegerField, UUIDField

from todo_project.api.pagination import Keyset
from todo_project.db.compiled import CompiledQuery

from .filters import FILTERS, apply_filters
from .models import Task
from .querysets import TaskQuerySet

KEYS = {"owner": UUIDField(), "task": UUIDField()}
ONE = {
    trashed: CompiledQuery(
        lambda owner, task, trashed=trashed: owned(owner, trashed).filter(pk=task).versions_and_json(), **KEYS
    )
    for trashed in (False, True)
}


def owned(owner: Any, trashed: bool) -> TaskQuerySet:
    tasks = Task.objects.for_user(owner)
    return tasks.trashed() if trashed else tasks.live()


def one(owner: Any, task: uuid.UUID, *, trashed: bool) -> tuple[int, str] | None:
    """Its version, and itself as JSON."""
    found = ONE[trashed](owner=owner.pk, task=task)
    return found[0] if found else None


class TaskPage:
    """An owner's tasks, live or trashed, that match a query; each is the text of its JSON."""

    model = Task

    def __init__(self, owner: Any, query: Mapping[str, Any], *, trashed: bool, at: datetime) -> None:
        self.owner, self.trashed, self.at = owner, trashed, at
        self.asked = {name: value for name, value in query.items() if name in FILTERS}

    def page(self, keyset: Keyset, position: list[Any] | None, limit: int) -> list[str]:
        if "q" in self.asked:
            # How to search depends on the words, so the database is asked to plan it each time.
            tasks = apply_filters(owned(self.owner, self.trashed), self.asked, at=self.at).as_json()
            return list(keyset.page(tasks, position, limit))
        # A yes or no, and a choice, decide on the sentence; a time or a number is only a value in it.
        shape = frozenset(
            (name, value) for name, value in self.asked.items() if isinstance(value, bool | str)
        )
        values = {name: value for name, value in self.asked.items() if not isinstance(value, bool | str)}
        prepared = _prepared(
            self.trashed, shape, frozenset(values), keyset.ordering, position is not None, limit
        )
        after = dict(zip(("value", "pk"), position or (), strict=False))
        return [text for (text,) in prepared(owner=self.owner.pk, now=self.at, **values, **after)]


@lru_cache(maxsize=1000)
def _prepared(
    trashed: bool,
    shape: frozenset[tuple[str, Any]],
    names: frozenset[str],
    ordering: str,
    follows: bool,
    limit: int,
) -> CompiledQuery:
    keyset = Keyset(Task, ordering)

    def sentence(owner: Any, now: Any, value: Any, pk: Any, **slots: Any) -> TaskQuerySet:
        tasks = apply_filters(owned(owner, trashed), {**dict(shape), **slots}, at=now).as_json()
        return keyset.page(tasks, [value, pk] if follows else None, limit)

    slots = {name: IntegerField() if name == "priority" else DateTimeField() for name in names}
    return CompiledQuery(
        sentence, owner=UUIDField(), now=DateTimeField(), value=keyset.field, pk=keyset.pk, **slots
    )
