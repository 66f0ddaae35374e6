"""What may stand behind the `?` of a list, and which sentence each parameter is."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from rest_framework import serializers

from todo_project.api.pagination import PageParameters, ordering_parameter
from todo_project.api.parameters import NumberField, QueryParameters
from todo_project.api.serializers import InstantField

from .models import Priority
from .querysets import TaskQuerySet


class SearchParameters(PageParameters):
    q = serializers.CharField(
        max_length=200, help_text="Only those with this text in the title or the description."
    )


class TaskParameters(SearchParameters):
    ordering = ordering_parameter(
        "created_at", "updated_at", "due_at", "priority", "title", default="-created_at"
    )
    completed = serializers.BooleanField(help_text="Only completed ones, or only open ones.")
    priority = serializers.ChoiceField(choices=Priority.choices, help_text="Only those of this priority.")
    due = serializers.ChoiceField(choices=["none"], help_text="Only those without a due time.")
    due_before = InstantField(help_text="Only those due earlier than this.")
    due_after = InstantField(help_text="Only those due later than this.")
    overdue = serializers.BooleanField(
        help_text="Only open ones whose due time has passed, or only the others."
    )
    created_before = InstantField(help_text="Only those created earlier than this.")
    created_after = InstantField(help_text="Only those created later than this.")
    updated_after = InstantField(help_text="Only those changed later than this.")


class TrashParameters(SearchParameters):
    ordering = ordering_parameter("deleted_at", default="-deleted_at")


class SyncParameters(QueryParameters):
    since = NumberField(
        default=0,
        min_value=-(2**63),
        max_value=2**63 - 1,
        help_text="From the answer before; 0 to begin with nothing.",
    )
    limit = NumberField(default=200, min_value=1, max_value=500, help_text="Changes in an answer.")


Sentence = Callable[[TaskQuerySet, Any, datetime], TaskQuerySet]

FILTERS: dict[str, Sentence] = {
    "q": lambda tasks, words, now: tasks.search_text(words),
    "completed": lambda tasks, yes, now: tasks.completed() if yes else tasks.open(),
    "priority": lambda tasks, priority, now: tasks.of_priority(priority),
    "due": lambda tasks, _, now: tasks.without_due_time(),
    "due_before": lambda tasks, at, now: tasks.due_before(at),
    "due_after": lambda tasks, at, now: tasks.due_after(at),
    "overdue": lambda tasks, yes, now: tasks.overdue(at=now) if yes else tasks.not_overdue(at=now),
    "created_before": lambda tasks, at, now: tasks.created_before(at),
    "created_after": lambda tasks, at, now: tasks.created_after(at),
    "updated_after": lambda tasks, at, now: tasks.updated_after(at),
}
RELATIVE_TO_NOW = {"overdue"}


def apply_filters(tasks: TaskQuerySet, query: Mapping[str, Any], *, at: datetime) -> TaskQuerySet:
    for name, sentence in FILTERS.items():
        if name in query:
            tasks = sentence(tasks, query[name], at)
    return tasks
