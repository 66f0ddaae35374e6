"""Tasks as the API takes and describes them; representation.py writes them."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers
from rest_framework.serializers import ValidationError

from todo_project.api.serializers import InstantField, StrictSerializer, body_example

from .models import Priority
from .operations import CREATE, VERBS, Operation, any_version

AT_ONCE = 100


@body_example(title="Buy milk", due_at="2027-01-31T09:00:00Z", priority=2)
class TaskSerializer(StrictSerializer):
    id = serializers.UUIDField(read_only=True)
    title = serializers.CharField(max_length=500)
    description = serializers.CharField(
        default="",
        max_length=5000,
        allow_blank=True,
        allow_null=True,
        trim_whitespace=False,
        help_text="null is taken as empty.",
    )
    completed = serializers.BooleanField(default=False)
    completed_at = serializers.DateTimeField(read_only=True, allow_null=True)
    priority = serializers.ChoiceField(
        choices=Priority.choices, default=Priority.NONE, help_text="0 none, 1 low, 2 medium, 3 high."
    )
    due_at = InstantField(default=None, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    deleted_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When it was moved to the trash."
    )
    version = serializers.IntegerField(read_only=True, help_text="Its ETag, without the quotes.")

    def validate_description(self, description: str | None) -> str:
        return description or ""


# Checking a body leaves nothing behind in a serializer, and making one costs more than using it.
WHOLE, PART, NOTHING = TaskSerializer(), TaskSerializer(partial=True), StrictSerializer()


@extend_schema_field(TaskSerializer(partial=True))
class TaskDataField(serializers.DictField):
    """A task's fields, checked when it is known for which operation."""


@body_example(
    op="update", id="0b8f3c1d-e5a9-4f0c-8a54-e9e1f2f7d9aa", data={"title": "Buy oat milk"}, if_match=17
)
class OperationSerializer(StrictSerializer):
    """One change: `create` takes `data`, `update` takes `id` and `data`, the others take `id`."""

    op = serializers.ChoiceField(choices=list(VERBS))
    id = serializers.UUIDField(required=False, help_text="The task; for all but `create`.")
    data = TaskDataField(  # type: ignore[assignment]
        required=False, help_text="As in POST for `create`, as in PATCH for `update`."
    )
    if_match = serializers.IntegerField(
        required=False, min_value=0, help_text="The version that the task must have before the bulk."
    )

    TAKES = {CREATE: {"op", "data"}, "update": {"op", "id", "data", "if_match"}}
    OTHERWISE = {"op", "id", "if_match"}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The errors of a task's field are told as those of the operation: operations.3.title."""
        given: dict[str, Any] = super().to_internal_value(data)
        takes = self.TAKES.get(given["op"], self.OTHERWISE)
        if extra := sorted(given.keys() - takes):
            raise ValidationError(dict.fromkeys(extra, f"Not taken by {given['op']}."), code="unknown")
        if missing := sorted(takes - given.keys() - {"if_match"}):
            raise ValidationError(dict.fromkeys(missing, "This field is required."), code="required")
        if "data" in given:
            given["data"] = (WHOLE if given["op"] == CREATE else PART).run_validation(given["data"])
        return given


class BulkSerializer(StrictSerializer):
    operations = OperationSerializer(many=True, allow_empty=False, max_length=AT_ONCE)  # type: ignore[call-arg]

    def validate_operations(self, given: list[dict[str, Any]]) -> list[Operation]:
        return [
            Operation(
                one["op"],
                one.get("id"),
                one.get("data", {}),
                {one["if_match"]}.__contains__ if "if_match" in one else any_version,
                place=f"operations.{index}",
            )
            for index, one in enumerate(given)
        ]


class BulkAnswerSerializer(serializers.Serializer[Any]):
    results = TaskSerializer(many=True, help_text="The task of each operation, as it is after all of them.")


class StatsSerializer(serializers.Serializer[Any]):
    open = serializers.IntegerField()
    completed = serializers.IntegerField()
    overdue = serializers.IntegerField(help_text="Those of the open ones whose due time has passed.")
    trashed = serializers.IntegerField()


class TombstoneSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    version = serializers.IntegerField()
    purged = serializers.BooleanField(help_text="Always true.")


class EmptiedSerializer(serializers.Serializer[Any]):
    purged = serializers.IntegerField(help_text="How many tasks were deleted for good.")


class ChangesSerializer(serializers.Serializer[Any]):
    changes = serializers.ListField(
        child=PolymorphicProxySerializer(
            component_name="Change",
            serializers=[TaskSerializer, TombstoneSerializer],
            resource_type_field_name=None,
        ),
        help_text="In the order of versions.",
    )
    since = serializers.IntegerField(help_text="To ask with next. Nothing can be told from it.")
    has_more = serializers.BooleanField(help_text="Whether to ask again at once.")
