"""A user's tasks in an export."""

from collections.abc import Iterator
from typing import Any

import orjson

from todo_project.operations.exporting import Section, exporters

from .models import Task


@exporters.register("tasks")
def tasks(user: Any) -> Iterator[Section]:
    """Including the trash, in the order of their versions."""
    rows = Task.objects.for_user(user).versions_and_json().in_batches_by("version")
    yield "tasks", (orjson.Fragment(text) for _, text in rows)
