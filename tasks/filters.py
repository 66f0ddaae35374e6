"""The query parameters of each list."""

from collections.abc import Callable
from datetime import datetime

from django.db.models import DateTimeField, IntegerField
from rest_framework import serializers

from todo_project.api.fields import InstantField, TextField
from todo_project.api.filters import Filter, parameters_of
from todo_project.api.pagination import PageParameters, ordering_parameter
from todo_project.api.parameters import NumberField, QueryParameters, TrueFalseField, UUIDListField

from .models import Priority
from .querysets import TaskQuerySet


def time_filter(meaning: str, condition: Callable[[TaskQuerySet, datetime], TaskQuerySet]) -> Filter:
    return Filter(
        InstantField(help_text=f"Only tasks {meaning} this time."),
        lambda tasks, at, now: condition(tasks, at),
        DateTimeField(),
    )


SEARCH = {
    "q": Filter(
        TextField(max_length=200, help_text="Text in the title or the description."),
        lambda tasks, text, now: tasks.search_text(text),
        plan_each_time=True,
    )
}
FILTERS = SEARCH | {
    "ids": Filter(
        UUIDListField(max_length=100, help_text="Only tasks with these IDs, separated by commas."),
        lambda tasks, ids, now: tasks.with_ids(ids),
        plan_each_time=True,
    ),
    "completed": Filter(
        TrueFalseField(help_text="true: only completed tasks; false: only open ones."),
        lambda tasks, completed, now: tasks.completed() if completed else tasks.open(),
    ),
    "priority": Filter(
        serializers.ChoiceField(choices=Priority.choices, help_text="Only tasks of this priority."),
        lambda tasks, priority, now: tasks.with_priority(priority),
        IntegerField(),
    ),
    "due": Filter(
        serializers.ChoiceField(choices=["none"], help_text="Only tasks without a due time."),
        lambda tasks, none, now: tasks.without_due_time(),
    ),
    "due_before": time_filter("due before", TaskQuerySet.due_before),
    "due_after": time_filter("due after", TaskQuerySet.due_after),
    "overdue": Filter(
        TrueFalseField(help_text="true: only open tasks past their due time; false: the others."),
        lambda tasks, overdue, now: tasks.overdue(at=now) if overdue else tasks.not_overdue(at=now),
        depends_on_time=True,
    ),
    "created_before": time_filter("created before", TaskQuerySet.created_before),
    "created_after": time_filter("created after", TaskQuerySet.created_after),
    "updated_after": time_filter("changed after", TaskQuerySet.updated_after),
}


class TaskParameters(PageParameters, parameters_of(FILTERS)):  # type: ignore[misc]
    ordering = ordering_parameter(
        "created_at", "updated_at", "due_at", "priority", "title", default="-created_at"
    )


class TrashParameters(PageParameters, parameters_of(SEARCH)):  # type: ignore[misc]
    ordering = ordering_parameter("deleted_at", default="-deleted_at")


class SyncParameters(QueryParameters):
    since = NumberField(
        default=0,
        min_value=-(2**63),
        max_value=2**63 - 1,
        help_text="`since` of the previous response; 0 for the first request.",
    )
    limit = NumberField(default=200, min_value=1, max_value=500, help_text="Changes in a response.")
