"""The query parameters of the list of tasks."""

from django.db.models import IntegerField
from rest_framework import serializers

from todo_project.api.filters import Filter
from todo_project.api.parameters import TrueFalseField

from .ledger import filters as ledger
from .ledger.filters import time_filter
from .models import Priority
from .querysets import TaskQuerySet

FILTERS = ledger.FILTERS | {
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
}
ORDERINGS = ("created_at", "updated_at", "due_at", "priority", "title")
