"""The base of every request body: no unknown field, no read-only field, no time without an offset."""

import datetime as dt
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers


def body_example(**body: Any) -> Any:
    """An example request for the API's description."""
    return extend_schema_serializer(examples=[OpenApiExample("Example", body, request_only=True)])


def set_plain_messages(field: Any) -> None:
    """Replace DRF's messages that do not say what is allowed."""
    field.error_messages |= {
        "blank": "This field must not be blank.",
        "null": "This field must not be null.",
    }
    if isinstance(field, serializers.ChoiceField):
        choices = ", ".join(str(choice) for choice in field.choices)
        field.error_messages["invalid_choice"] = f"This field must be one of {choices}."
    if child := getattr(field, "child", None):
        set_plain_messages(child)


# Rejects unknown fields by name; DRF would ignore them, and the client would believe they were saved.
# Not a docstring, which the description would repeat for every body.
class StrictSerializer(serializers.Serializer[Any]):
    default_error_messages = {
        "unknown": "Unknown field.",
        "read_only": "This field is set by the server.",
    }

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            set_plain_messages(field)
        return fields

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            errors = {name: self._error(str(name)) for name in data if name not in self._writable}
            if errors:
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)

    @property
    def _writable(self) -> set[str]:
        return {name for name, field in self.fields.items() if not field.read_only}

    def _error(self, name: str) -> list[serializers.ErrorDetail]:
        code = "read_only" if name in self.fields else "unknown"
        return [serializers.ErrorDetail(str(self.error_messages[code]), code=code)]


class InstantField(serializers.DateTimeField):
    """A point in time in ISO 8601. Without an offset it would be a guess, wrong for most of the world."""

    default_error_messages = {"offset": "This field must have a UTC offset, such as 2030-01-31T09:00:00Z."}

    def to_internal_value(self, value: Any) -> dt.datetime:
        if isinstance(value, str):
            if not value.isascii() or not value.isprintable():
                self.fail("invalid", format="ISO 8601")  # Python would parse only up to a NUL.
            try:
                parsed = parse_datetime(value)
            except ValueError:
                parsed = None
            if parsed is not None and parsed.tzinfo is None:
                self.fail("offset")
        return super().to_internal_value(value)
