"""The kinds of objects of this app."""

from .ledger.kinds import Kind, kinds
from .models import Task

TASK = kinds["task"] = Kind(
    "task",
    Task,
    fields=(
        "title",
        "description",
        "completed",
        "completed_at",
        "priority",
        "due_date",
        "due_at",
        "due_zone",
        "start_date",
    ),
    serializer="tasks.serializers.TaskSerializer",
    verbs={
        "complete": lambda task, values, at: task.complete(at=at),
        "reopen": lambda task, values, at: task.reopen(at=at),
    },
    quota="tasks",
)
