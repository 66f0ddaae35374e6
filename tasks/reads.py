"""Reads of one task or a page of tasks, by queries that are compiled to SQL once."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from django.db.models import DateTimeField, UUIDField
from django.utils.crypto import salted_hmac

from todo_project.api.conditional import etag
from todo_project.api.filters import apply_filters
from todo_project.db.compiled import CompiledQuery
from todo_project.db.keyset import Keyset

from .filters import FILTERS
from .models import Task
from .operations import RowsFor
from .querysets import TaskQuerySet
from .representation import TASK_FIELDS


def list_etag(owner: Any, tick: int) -> str:
    """The ETag of all lists of an owner. It changes with every change to a task of the owner."""
    return etag(f"{owner.pk.hex}-{tick}-{_format()}")


@cache
def _format() -> str:
    """Changes with the fields of a task and with SECRET_KEY, which signs the cursors of a list."""
    return salted_hmac("tasks.list", ",".join(TASK_FIELDS)).hexdigest()[:8]


def read_one(rows_for: RowsFor, owner: Any, task: uuid.UUID, *, trashed: bool) -> tuple[int, str] | None:
    """The version of a task and its JSON text; None if it does not exist."""
    found = _one(rows_for, trashed)(owner=owner.pk, task=task)
    return found[0] if found else None


@cache
def _one(rows_for: RowsFor, trashed: bool) -> CompiledQuery:
    return CompiledQuery(
        lambda owner, task: _narrow(rows_for(owner), trashed).filter(pk=task).versions_and_json(),
        owner=UUIDField(),
        task=UUIDField(),
    )


def _narrow(tasks: TaskQuerySet, trashed: bool) -> TaskQuerySet:
    return tasks.trashed() if trashed else tasks.live()


class TaskPage:
    """An owner's live or trashed tasks as JSON text, for KeysetPagination."""

    model = Task

    def __init__(
        self, rows_for: RowsFor, owner: Any, query: Mapping[str, Any], *, trashed: bool, at: datetime
    ) -> None:
        self.rows_for, self.owner, self.trashed, self.at = rows_for, owner, trashed, at
        self.filters = {name: value for name, value in query.items() if name in FILTERS}

    def page(self, keyset: Keyset, position: list[Any] | None, limit: int) -> list[str]:
        if any(FILTERS[name].plan_each_time for name in self.filters):
            tasks = _narrow(self.rows_for(self.owner), self.trashed)
            tasks = apply_filters(tasks, FILTERS, self.filters, at=self.at).as_json()
            return list(keyset.page(tasks, position, limit))
        values = {name: value for name, value in self.filters.items() if FILTERS[name].value}
        constants = frozenset(self.filters.items() - values.items())
        compiled = _page(
            self.rows_for,
            self.trashed,
            constants,
            frozenset(values),
            keyset.ordering,
            position is not None,
            limit,
        )
        after = dict(zip(("value", "pk"), position or (), strict=False))
        return [text for (text,) in compiled(owner=self.owner.pk, now=self.at, **values, **after)]


@lru_cache(maxsize=1000)
def _page(
    rows_for: RowsFor,
    trashed: bool,
    constants: frozenset[tuple[str, Any]],
    values: frozenset[str],
    ordering: str,
    has_position: bool,
    limit: int,
) -> CompiledQuery:
    """The query for one combination of filters. The values of SQL parameters are not part of it."""
    keyset = Keyset(Task, ordering)

    def build(owner: Any, now: Any, value: Any, pk: Any, **placeholders: Any) -> TaskQuerySet:
        tasks = _narrow(rows_for(owner), trashed)
        tasks = apply_filters(tasks, FILTERS, {**dict(constants), **placeholders}, at=now).as_json()
        return keyset.page(tasks, [value, pk] if has_position else None, limit)

    return CompiledQuery(
        build,
        owner=UUIDField(),
        now=DateTimeField(),
        value=keyset.field,
        pk=keyset.pk,
        **{name: FILTERS[name].value for name in values},
    )
