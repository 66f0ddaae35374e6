"""Request bodies of tasks, projects and labels, and the descriptions of responses."""

import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.serializers import ValidationError

from todo_project.api.fields import (
    BooleanField,
    CharField,
    ChoiceField,
    DayField,
    InstantField,
    IntegerField,
    TextField,
    TimeZoneField,
    UUIDField,
    is_visible,
)
from todo_project.api.serializers import StrictSerializer, body_example, set_plain_messages

from .ledger.serializers import ObjectSerializer
from .models import Priority
from .positions import is_position
from .recurrence import MAX_LENGTH as MAX_RULE_LENGTH
from .recurrence import Repeat, RuleError


def check_visible(field: str, text: str) -> str:
    if not is_visible(text):
        raise ValidationError(f"{field} must contain a visible character.", code="blank")
    return text


def check_one_of(sent: Mapping[str, Any], name: str, *others: str) -> None:
    if name in sent and (found := [other for other in others if other in sent]):
        raise ValidationError({name: f"Send either {name} or {found[0]}."}, code="exclusive")


class NameField(TextField):
    """Visible text."""

    def to_internal_value(self, data: Any) -> str:
        return check_visible("This field", super().to_internal_value(data))


@extend_schema_field({"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"})
class ColorField(CharField):
    default_error_messages = {"invalid_color": "This field must be a color such as #1e90ff."}

    def to_internal_value(self, data: Any) -> str:
        color = super().to_internal_value(data)
        if not re.fullmatch("#[0-9A-Fa-f]{6}", color):
            self.fail("invalid_color")
        return color.lower()


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "format": "uuid"},
            {
                "type": "array",
                "items": {"type": ["string", "null"], "format": "uuid"},
                "minItems": 1,
                "maxItems": 100,
            },
        ]
    },
    component_name="Neighbours",
)
class NeighboursField(serializers.Field[Any, Any, Any, Any]):
    """null, an ID, or a list of IDs that may end in null."""

    default_error_messages = {
        "invalid": "This field must be null, a UUID, or a list of up to 100 UUIDs that may end in null."
    }

    def __init__(self, direction: str, end: str) -> None:
        super().__init__(
            required=False,
            allow_null=True,
            write_only=True,
            help_text=f"Put it {direction} this one; null: at the {end} of the list. "
            "Of a list of IDs, the first one that is still there counts.",
        )

    def to_internal_value(self, data: Any) -> Any:
        wanted = data if isinstance(data, list) else [data]
        ids = wanted[:-1] if wanted and wanted[-1] is None else wanted
        if not wanted or len(wanted) > 100 or not all(isinstance(each, str) for each in ids):
            self.fail("invalid")
        found = [UUID_FIELD.to_internal_value(each) for each in ids] + [None] * (len(wanted) - len(ids))
        return found if isinstance(data, list) else found[0]


UUID_FIELD = UUIDField()


class LabelOrNameField(serializers.Field[Any, Any, Any, Any]):
    """A label's ID, or the name of a label, which is created if there is none."""

    default_error_messages = {"invalid": 'This field must be the ID of a label, or {{"name": "…"}}.'}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            return UUID_FIELD.to_internal_value(data)
        if not isinstance(data, dict):
            self.fail("invalid")
        return LABEL_NAME.run_validation(data)


class LabelNameSerializer(StrictSerializer):
    name = NameField(max_length=100)


LABEL_NAME = LabelNameSerializer()


class LabelOrNameExtension(OpenApiSerializerFieldExtension):
    target_class = LabelOrNameField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        label_name = auto_schema.resolve_serializer(LABEL_NAME, "request")
        return {"oneOf": [{"type": "string", "format": "uuid"}, label_name.ref]}


def position_field() -> CharField:
    return CharField(
        read_only=True, help_text="Siblings are in the order of these texts, compared byte by byte."
    )


def after_field() -> NeighboursField:
    return NeighboursField("after", "beginning")


def before_field() -> NeighboursField:
    return NeighboursField("before", "end")


class OrderedSerializer(ObjectSerializer):
    after = after_field()
    before = before_field()

    def validate_position(self, position: str) -> str:
        """Only an import sends it."""
        if not is_position(position):
            raise ValidationError("Position is invalid.")
        return position

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        check_one_of(values, "after", "before")
        return values


MAX_LABELS = 1000
"""In one request. How many labels a task may have is a quota."""


def label_ids(help_text: str, *, child: Any = None, **options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=child or UUIDField(), required=False, max_length=MAX_LABELS, help_text=help_text, **options
    )


class RepeatSerializer(StrictSerializer):
    default_error_messages = {"invalid": "This field must be null or an object with a rule."}

    rule = CharField(
        max_length=MAX_RULE_LENGTH,
        help_text="A recurrence rule of RFC 5545: FREQ with INTERVAL, BYDAY, BYMONTHDAY, BYMONTH, and UNTIL "
        "or COUNT. What the due day implies is filled in.",
    )
    anchor = DayField(
        read_only=True,
        help_text="The rule's own day of this occurrence. It stays when `due_date` is changed.",
    )

    def bind(self, field_name: str, parent: Any) -> None:
        """Without its parent: PATCH, too, replaces all of it, so what is required does not depend on that."""
        super().bind(field_name, parent)
        self.parent = None  # type: ignore[assignment]

    def get_fields(self) -> dict[str, Any]:
        origin = ChoiceField(
            choices=["due", "completion"],
            default="due",
            help_text="The next occurrence follows the anchor, or the day of completion.",
        )
        set_plain_messages(origin)
        fields = super().get_fields()
        return {"rule": fields["rule"], "from": origin, "anchor": fields["anchor"]}

    def to_representation(self, repeat: Any) -> Any:
        return repeat


@body_example(title="Buy milk", due_at="2027-01-31T09:00:00Z", priority=2)
class TaskSerializer(OrderedSerializer):
    never_null = ("description",)

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
    project = UUIDField(
        required=False,
        allow_null=True,
        help_text="ID of its project; null: the inbox. Its subtasks move along. PUT keeps it.",
    )
    parent = UUIDField(  # type: ignore[assignment]
        required=False,
        allow_null=True,
        help_text="ID of the task that it is a subtask of; it is in the same project. PUT keeps it.",
    )
    position = position_field()
    labels = label_ids("IDs of its labels, in ascending order. PUT keeps them.")
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
    repeat = RepeatSerializer(
        required=False,
        allow_null=True,
        help_text="Completing the task creates the next occurrence. It needs a due day or time; with a time, "
        "`due_zone` is set to your time zone by default. PUT keeps it.",
    )
    series = UUIDField(
        read_only=True, allow_null=True, help_text="ID of the first occurrence of a repeating task."
    )
    add_labels = label_ids(
        'Labels to add: IDs, or `{"name": "errand"}` for the label of this name, which is created if there '
        "is none.",
        child=LabelOrNameField(),
        write_only=True,
    )
    remove_labels = label_ids("IDs of labels to remove.", write_only=True)

    def validate_title(self, title: str) -> str:
        return check_visible("Title", title)

    def validate_description(self, description: str | None) -> str:
        return description or ""

    def validate_repeat(self, repeat: Any) -> Any:
        """Only an import sends the anchor."""
        if repeat and "anchor" in repeat:
            stored = {**repeat, "anchor": repeat["anchor"].isoformat()}
            try:
                is_canonical = Repeat.read(stored).as_json() == stored
            except RuleError as error:
                raise ValidationError({"rule": str(error)}) from error
            if not is_canonical:
                raise ValidationError({"rule": "The rule is not in the form that an export contains."})
            return stored
        return repeat

    def validate(self, task: dict[str, Any]) -> dict[str, Any]:
        """Only an import sends completed_at and series."""
        check_one_of(task, "labels", "add_labels", "remove_labels")
        if "completed_at" in task and task["completed"] != (task["completed_at"] is not None):
            message = "Completed at must be set if the task is completed, and null otherwise."
            raise ValidationError({"completed_at": message})
        if task.get("series", ...) is None and task["repeat"]:
            raise ValidationError({"series": "Series must be set if the task repeats."})
        return super().validate(task)


class CompletionSerializer(StrictSerializer):
    subtasks = ChoiceField(
        choices=["complete", "leave", "refuse"],
        default="complete",
        help_text="What to do with open subtasks: complete them too, leave them open, or refuse with 409.",
    )


class SkipSerializer(StrictSerializer):
    due_date = DayField(help_text="The due day of the occurrence to skip, in the zone of the task.")


class OccurrenceSerializer(serializers.Serializer[Any]):
    due_date = DayField(allow_null=True)
    due_at = InstantField(allow_null=True)


class OccurrencesSerializer(serializers.Serializer[Any]):
    results = OccurrenceSerializer(many=True)


class MoveSerializer(StrictSerializer):
    after = after_field()
    before = before_field()

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        check_one_of(values, "after", "before")
        if not values:
            names = list(self.fields)
            raise ValidationError({names[0]: f"Send one of {', '.join(names)}."}, code="required")
        return values


class TaskMoveSerializer(MoveSerializer):
    project = UUIDField(required=False, allow_null=True, help_text="As in PATCH.")
    parent = UUIDField(required=False, allow_null=True, help_text="As in PATCH.")  # type: ignore[assignment]


class ProjectMoveSerializer(MoveSerializer):
    parent = UUIDField(required=False, allow_null=True, help_text="As in PATCH.")  # type: ignore[assignment]


@body_example(name="Garden", color="#2e8b57")
class ProjectSerializer(OrderedSerializer):
    name = NameField(max_length=200)
    color = ColorField(required=False, allow_null=True)
    parent = UUIDField(  # type: ignore[assignment]
        required=False, allow_null=True, help_text="ID of the project that it is in; null: none."
    )
    position = position_field()
    archived_at = InstantField(read_only=True, allow_null=True)


@body_example(name="errand", color="#ff8c00")
class LabelSerializer(OrderedSerializer):
    name = NameField(max_length=100, help_text="Unique among your labels, ignoring case.")
    color = ColorField(required=False, allow_null=True)
    position = position_field()


class GroupSerializer(serializers.Serializer[Any]):
    optional = ("project", "label", "due")

    project = UUIDField(allow_null=True, required=False, help_text="With `by=project`.")
    label = UUIDField(allow_null=True, required=False, help_text="With `by=label`.")  # type: ignore[assignment]
    due = DayField(allow_null=True, required=False, help_text="With `by=due`.")
    open = IntegerField()
    completed = IntegerField()
    overdue = IntegerField()


class StatsSerializer(serializers.Serializer[Any]):
    optional = ("by",)

    open = IntegerField()
    completed = IntegerField()
    overdue = IntegerField(help_text="Open tasks whose due time has passed, or whose due day has ended.")
    trashed = IntegerField()
    by = GroupSerializer(many=True, required=False, help_text="With the parameter `by`.")
