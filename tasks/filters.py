"""The query parameters of the list of tasks."""

from zoneinfo import ZoneInfo

from django.db.models import DateField, DateTimeField, IntegerField
from rest_framework import serializers

from todo_project.api.fields import DayField, TimeZoneField
from todo_project.api.filters import Filter
from todo_project.api.pagination import PageParameters
from todo_project.api.parameters import QueryParameters, TrueFalseField

from .dates import end_of_day, start_of_day
from .ledger import filters as ledger
from .ledger.filters import time_filter
from .models import Priority
from .querysets import TaskQuerySet

UTC = ZoneInfo("UTC")

FILTERS = ledger.FILTERS | {
    "completed": Filter(
        TrueFalseField(help_text="true: only completed tasks; false: only open ones."),
        lambda tasks, completed, moment: tasks.completed() if completed else tasks.open(),
    ),
    "priority": Filter(
        serializers.ChoiceField(choices=Priority.choices, help_text="Only tasks of this priority."),
        lambda tasks, priority, moment: tasks.with_priority(priority),
        IntegerField(),
    ),
    "due": Filter(
        serializers.ChoiceField(choices=["none"], help_text="Only tasks that are never due."),
        lambda tasks, none, moment: tasks.never_due(),
    ),
    "due_from": Filter(
        DayField(help_text="Only tasks due on this day or later, in `tz`."),
        lambda tasks, day, moment: tasks.due_from(*day),
        (DateField(), DateTimeField()),
        in_zone=lambda day, zone: (day, start_of_day(day, zone)),
    ),
    "due_until": Filter(
        DayField(help_text="Only tasks due on this day or earlier, in `tz`."),
        lambda tasks, day, moment: tasks.due_until(*day),
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
        lambda tasks, overdue, moment: (tasks.overdue if overdue else tasks.not_overdue)(
            at=moment.now, today=moment.today
        ),
        depends_on_time=True,
    ),
    "starts_until": Filter(
        DayField(help_text="Only tasks with a start date on this day or earlier."),
        lambda tasks, day, moment: tasks.starting_until(day),
        DateField(),
    ),
    "available": Filter(
        TrueFalseField(
            help_text="true: only tasks without a start date after today in `tz`; false: the others."
        ),
        lambda tasks, available, moment: (tasks.available if available else tasks.not_available)(
            moment.today
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
}


class TimeZoneParameters(QueryParameters):
    tz = TimeZoneField(
        help_text="Time zone in which days begin and end, such as Europe/Berlin. The default is your own."
    )


class TaskPageParameters(PageParameters, TimeZoneParameters):
    pass
