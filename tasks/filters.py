"""The query parameters of the lists of tasks, projects and labels."""

import re
import uuid
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import DateField, DateTimeField, IntegerField, UUIDField
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from todo_project.api import fields
from todo_project.api.fields import UUID_PATTERN, DayField, TimeZoneField
from todo_project.api.filters import Context, Filter
from todo_project.api.pagination import PageParameters
from todo_project.api.parameters import (
    NumberField,
    QueryParameters,
    TrueFalseField,
    UUIDOrNoneField,
)

from .dates import end_of_day, start_of_day
from .ledger import filters as ledger
from .ledger.filters import time_filter
from .models import Priority
from .querysets import TaskQuerySet

UTC = ZoneInfo("UTC")

NONE = "none"
LABEL = re.compile(f"{NONE}|{UUID_PATTERN}(,{UUID_PATTERN}){{0,99}}")


@extend_schema_field({"type": "array", "items": {"type": "string", "pattern": f"^({LABEL.pattern})$"}})
class LabelsField(serializers.Field[Any, Any, Any, Any]):
    """Each occurrence is a list of labels, of which a task must have one; or "none"."""

    is_repeatable = True
    default_error_messages = {
        "invalid": "This field must be none, or the ID of a label or up to 100, separated by commas."
    }

    def to_internal_value(self, data: Any) -> Any:
        if not all(LABEL.fullmatch(each) for each in data):
            self.fail("invalid")
        return [each if each == NONE else [uuid.UUID(label) for label in each.split(",")] for each in data]


def with_labels(tasks: TaskQuerySet, choices: list[Any], context: Context) -> TaskQuerySet:
    for each in choices:
        tasks = tasks.without_labels() if each == NONE else tasks.with_any_label(each)
    return tasks


FILTERS = {
    # First, because the way to a task may lead through tasks that other filters leave out.
    "root": Filter(
        fields.UUIDField(help_text="Only this task and its subtasks at all levels."),
        lambda tasks, root, context: tasks.with_contents([root]),
        plan_each_time=True,
    ),
    **ledger.FILTERS,
    "project": Filter(
        UUIDOrNoneField(help_text="Only tasks in this project; none: in the inbox."),
        lambda tasks, project, context: (
            tasks.without_project() if project == NONE else tasks.in_project(project)
        ),
        UUIDField(),
        constants=frozenset({NONE}),
    ),
    "parent": Filter(
        UUIDOrNoneField(help_text="Only direct subtasks of this task; none: only top-level tasks."),
        lambda tasks, parent, context: (
            tasks.without_parent() if parent == NONE else tasks.subtasks_of(parent)
        ),
        UUIDField(),
        constants=frozenset({NONE}),
    ),
    "label": Filter(
        LabelsField(
            help_text="Only tasks with this label, or one of several separated by commas; none: without "
            "labels. Repeat it for tasks that have several labels."
        ),
        with_labels,
        plan_each_time=True,
    ),
    "series": Filter(
        fields.UUIDField(help_text="Only occurrences of this repeating task."),
        lambda tasks, series, context: tasks.in_series(series),
        UUIDField(),
    ),
    "archived": Filter(
        TrueFalseField(
            default=False,
            help_text="true: also tasks in archived projects. They are left out by default, unless `project` "
            "is sent.",
        ),
        lambda tasks, archived, context: tasks if archived else tasks.in_active_projects(context.owner),
    ),
    "completed": Filter(
        TrueFalseField(help_text="true: only completed tasks; false: only open ones."),
        lambda tasks, completed, context: tasks.completed() if completed else tasks.open(),
    ),
    "priority": Filter(
        serializers.ChoiceField(choices=Priority.choices, help_text="Only tasks of this priority."),
        lambda tasks, priority, context: tasks.with_priority(priority),
        IntegerField(),
    ),
    "due": Filter(
        serializers.ChoiceField(choices=["none"], help_text="Only tasks that are never due."),
        lambda tasks, none, context: tasks.never_due(),
    ),
    "due_from": Filter(
        DayField(help_text="Only tasks due on this day or later, in `tz`."),
        lambda tasks, day, context: tasks.due_from(*day),
        (DateField(), DateTimeField()),
        in_zone=lambda day, zone: (day, start_of_day(day, zone)),
    ),
    "due_until": Filter(
        DayField(help_text="Only tasks due on this day or earlier, in `tz`."),
        lambda tasks, day, context: tasks.due_until(*day),
        (DateField(), DateTimeField(), DateTimeField()),
        in_zone=lambda day, zone: (day, end := end_of_day(day, zone), max(end, end_of_day(day, UTC))),
    ),
    "due_before": time_filter("due at a time before", TaskQuerySet.due_before),
    "due_after": time_filter("due at a time after", TaskQuerySet.due_after),
    "overdue": Filter(
        TrueFalseField(
            help_text="true: only open tasks whose due time has passed, or whose due day has ended in `tz`; "
            "false: the others."
        ),
        lambda tasks, overdue, context: (tasks.overdue if overdue else tasks.not_overdue)(
            at=context.now, today=context.today
        ),
        depends_on_time=True,
    ),
    "starts_until": Filter(
        DayField(help_text="Only tasks with a start date on this day or earlier."),
        lambda tasks, day, context: tasks.starting_until(day),
        DateField(),
    ),
    "available": Filter(
        TrueFalseField(
            help_text="true: only tasks without a start date after today in `tz`; false: the others."
        ),
        lambda tasks, available, context: (tasks.available if available else tasks.not_available)(
            context.today
        ),
        depends_on_time=True,
    ),
}
ORDERINGS = {
    "created_at": "created_at",
    "updated_at": "version",
    "due": "due_by",
    "priority": "priority",
    "title": "title",
    "position": "position",
}

PROJECT_FILTERS = ledger.FILTERS | {
    "parent": Filter(
        UUIDOrNoneField(help_text="Only projects directly in this one; none: only top-level projects."),
        lambda projects, parent, context: (
            projects.without_parent() if parent == NONE else projects.directly_in(parent)
        ),
        UUIDField(),
        constants=frozenset({NONE}),
    ),
    "archived": Filter(
        TrueFalseField(default=False, help_text="true: also archived projects; by default without."),
        lambda projects, archived, context: projects if archived else projects.active(),
    ),
}
LABEL_ORDERINGS = {
    "created_at": "created_at",
    "updated_at": "version",
    "name": "name",
    "position": "position",
}
PROJECT_ORDERINGS = LABEL_ORDERINGS


class TimeZoneParameters(QueryParameters):
    tz = TimeZoneField(
        help_text="Time zone in which days begin and end, such as Europe/Berlin. The default is your own."
    )


class OccurrencesParameters(QueryParameters):
    limit = NumberField(default=10, min_value=1, max_value=50, help_text="Number of occurrences.")


class StatsParameters(TimeZoneParameters):
    by = serializers.ChoiceField(
        choices=["project", "label", "due"],
        help_text="Also count by project (null: the inbox), by label (null: none), or by the day on which "
        "open tasks are due (null: never; the first 1,000).",
    )


class TaskPageParameters(PageParameters, TimeZoneParameters):
    pass
