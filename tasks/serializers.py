"""Request bodies of tasks, and the descriptions of responses."""

from typing import Any

from rest_framework import serializers
from rest_framework.serializers import ValidationError

from todo_project.api.fields import (
    BooleanField,
    ChoiceField,
    DayField,
    InstantField,
    IntegerField,
    TextField,
    TimeZoneField,
    is_visible,
)
from todo_project.api.serializers import body_example

from .ledger.serializers import ObjectSerializer
from .models import Priority


@body_example(title="Buy milk", due_at="2027-01-31T09:00:00Z", priority=2)
class TaskSerializer(ObjectSerializer):
    title = TextField(max_length=500)
    description = TextField(
        default="",
        max_length=5000,
        allow_blank=True,
        allow_null=True,
        trim_whitespace=False,
        help_text="null is stored as an empty string.",
    )
    completed = BooleanField(default=False)
    completed_at = InstantField(read_only=True, allow_null=True)
    priority = ChoiceField(
        choices=Priority.choices, default=Priority.NONE, help_text="0 none, 1 low, 2 medium, 3 high."
    )
    due_date = DayField(
        default=None,
        allow_null=True,
        help_text="Due on this day, wherever you are. Not with `due_at`.",
    )
    due_at = InstantField(default=None, allow_null=True, help_text="Due at this time.")
    due_zone = TimeZoneField(
        default=None, allow_null=True, help_text="The time zone that `due_at` was meant in, if it matters."
    )
    start_date = DayField(
        required=False, allow_null=True, help_text="Not to be started before this day. PUT keeps it."
    )

    def validate_title(self, title: str) -> str:
        if not is_visible(title):
            raise ValidationError("Title must contain a visible character.", code="blank")
        return title

    def validate_description(self, description: str | None) -> str:
        return description or ""

    def validate(self, task: dict[str, Any]) -> dict[str, Any]:
        """Only an import sends completed_at."""
        if "completed_at" in task and task["completed"] != (task["completed_at"] is not None):
            message = "Completed at must be set if the task is completed, and null otherwise."
            raise ValidationError({"completed_at": message})
        return task


class StatsSerializer(serializers.Serializer[Any]):
    open = IntegerField()
    completed = IntegerField()
    overdue = IntegerField(help_text="Open tasks past their due time.")
    trashed = IntegerField()
