"""Request bodies, and the descriptions of responses, which representation.py defines."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers
from rest_framework.serializers import ValidationError

from todo_project.api.fields import (
    BooleanField,
    CharField,
    ChoiceField,
    InstantField,
    IntegerField,
    TextField,
    UUIDField,
    is_visible,
)
from todo_project.api.serializers import StrictSerializer, body_example

from .models import Priority
from .operations import BULK_VERBS, CREATE, Operation

MAX_BULK_OPERATIONS = 100


@body_example(title="Buy milk", due_at="2027-01-31T09:00:00Z", priority=2)
class TaskSerializer(StrictSerializer):
    id = UUIDField(read_only=True)
    user_id = UUIDField(read_only=True, help_text="ID of the owner.")
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
    due_at = InstantField(default=None, allow_null=True)
    created_at = InstantField(read_only=True)
    updated_at = InstantField(read_only=True)
    deleted_at = InstantField(read_only=True, allow_null=True, help_text="Time it was moved to the trash.")
    version = IntegerField(read_only=True, min_value=1, help_text="The ETag without quotes.")

    def validate_title(self, title: str) -> str:
        if not is_visible(title):
            raise ValidationError("Title must contain a visible character.", code="blank")
        return title

    def validate_description(self, description: str | None) -> str:
        return description or ""


class NewTaskSerializer(TaskSerializer):
    key = CharField(
        max_length=200,
        required=False,
        write_only=True,
        trim_whitespace=False,
        help_text="Your name for the task. Creating again with the same key returns the task that exists. "
        "The ID is UUIDv5(`user_id`, `task:<key>`).",
    )

    def validate_key(self, key: str) -> str:
        if not key.isprintable():
            raise ValidationError("Key must consist of printable characters.", code="invalid")
        return key


# Shared, because run_validation() keeps no state and creating a serializer costs more than validating.
NEW, FULL, PARTIAL = NewTaskSerializer(), TaskSerializer(), TaskSerializer(partial=True)
NO_BODY = StrictSerializer()


@extend_schema_field(NewTaskSerializer(partial=True))
class TaskDataField(serializers.DictField):
    """The fields of a task. OperationSerializer validates them, depending on the operation."""


@body_example(
    op="update", id="0b8f3c1d-e5a9-4f0c-8a54-e9e1f2f7d9aa", data={"title": "Buy oat milk"}, if_match=17
)
class OperationSerializer(StrictSerializer):
    """One change: `create` takes `data`, `update` takes `id` and `data`, the others take `id`."""

    op = ChoiceField(choices=BULK_VERBS)
    id = UUIDField(required=False, help_text="ID of the task; required except for `create`.")
    data = TaskDataField(  # type: ignore[assignment]
        required=False, help_text="The fields: as in POST for `create`, as in PATCH for `update`."
    )
    if_match = IntegerField(
        required=False,
        min_value=0,
        help_text="Version the task must have before this request; 0 if this request creates it.",
    )

    FIELDS_BY_OP = {CREATE: {"op", "data"}, "update": {"op", "id", "data", "if_match"}}
    DEFAULT_FIELDS = {"op", "id", "if_match"}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Errors in `data` are reported for the operation itself, as operations.3.title."""
        operation: dict[str, Any] = super().to_internal_value(data)
        fields = self.FIELDS_BY_OP.get(operation["op"], self.DEFAULT_FIELDS)
        if extra := sorted(operation.keys() - fields):
            raise ValidationError(
                dict.fromkeys(extra, f"Not allowed with {operation['op']}."), code="unknown"
            )
        if missing := sorted(fields - operation.keys() - {"if_match"}):
            raise ValidationError(dict.fromkeys(missing, "This field is required."), code="required")
        if "data" in operation:
            serializer = NEW if operation["op"] == CREATE else PARTIAL
            operation["data"] = serializer.run_validation(operation["data"])
        return operation


class BulkSerializer(StrictSerializer):
    operations = OperationSerializer(many=True, allow_empty=False, max_length=MAX_BULK_OPERATIONS)  # type: ignore[call-arg]

    def validate_operations(self, operations: list[dict[str, Any]]) -> list[Operation]:
        return [
            Operation(
                operation["op"],
                operation.get("id"),
                operation.get("data", {}),
                key=operation.get("data", {}).pop("key", None),
                versions={operation["if_match"]} if "if_match" in operation else None,
                path=f"operations.{index}",
            )
            for index, operation in enumerate(operations)
        ]


class BulkResponseSerializer(serializers.Serializer[Any]):
    results = TaskSerializer(
        many=True, help_text="The task of each operation, as it is after all operations."
    )


class StatsSerializer(serializers.Serializer[Any]):
    open = IntegerField()
    completed = IntegerField()
    overdue = IntegerField(help_text="Open tasks past their due time.")
    trashed = IntegerField()


class TombstoneSerializer(serializers.Serializer[Any]):
    id = UUIDField()
    version = IntegerField()
    purged = BooleanField(help_text="Always true.")


class EmptyTrashSerializer(serializers.Serializer[Any]):
    purged = IntegerField(help_text="Number of tasks deleted permanently.")


class ChangesSerializer(serializers.Serializer[Any]):
    changes = serializers.ListField(
        child=PolymorphicProxySerializer(
            component_name="Change",
            serializers=[TaskSerializer, TombstoneSerializer],
            resource_type_field_name=None,
        ),
        help_text="Ordered by version.",
    )
    since = IntegerField(help_text="Pass as `since` in the next request. Opaque.")
    has_more = BooleanField(help_text="Whether more changes are available now.")
