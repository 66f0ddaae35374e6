"""The fields of tasks and tombstones in JSON, for JSONText and as_dict()."""

from typing import Any

from todo_project.db import json_text

TASK_FIELDS = (
    "id",
    "user_id=owner",
    "title",
    "description",
    "completed",
    "completed_at",
    "priority",
    "due_at",
    "created_at",
    "updated_at",
    "deleted_at",
    "version",
)
TOMBSTONE_FIELDS = ("id=task", "version")


def as_dict(task: Any) -> dict[str, Any]:
    return json_text.as_dict(task, TASK_FIELDS)
