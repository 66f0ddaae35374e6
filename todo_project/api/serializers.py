"""Base classes for request bodies. They reject unknown and read-only fields, and times without an offset."""

import datetime as dt
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers


def body_example(**body: Any) -> Any:
    """A class decorator that adds an example request to the OpenAPI description."""
    return extend_schema_serializer(examples=[OpenApiExample("Example", body, request_only=True)])


def set_plain_messages(field: Any) -> None:
    """Replace messages of DRF that do not say what is allowed."""
    field.error_messages |= {
        "blank": "This field must not be blank.",
        "null": "This field must not be null.",
    }
    if isinstance(field, serializers.ChoiceField):
        choices = ", ".join(str(choice) for choice in field.choices)
        field.error_messages["invalid_choice"] = f"This field must be one of {choices}."
    if child := getattr(field, "child", None):
        set_plain_messages(child)


# DRF ignores unknown fields, so a client would believe that they were saved.
# This is not a docstring because the OpenAPI description would repeat it for every body.
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
            writable = {field.field_name for field in self._writable_fields}
            errors = {name: self._error(name) for name in data if name not in writable}
            if errors:
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)

    def _error(self, name: str) -> serializers.ErrorDetail:
        code = "read_only" if name in self.fields else "unknown"
        return serializers.ErrorDetail(str(self.error_messages[code]), code=code)


class InstantField(serializers.DateTimeField):
    """An ISO 8601 time with a UTC offset. Without one, DRF would assume the server's time zone."""

    default_error_messages = {"offset": "This field must have a UTC offset, such as 2030-01-31T09:00:00Z."}

    def to_internal_value(self, value: Any) -> dt.datetime:
        if isinstance(value, str):
            if not value.isascii() or not value.isprintable():
                self.fail("invalid", format="ISO 8601")  # Python ignores everything after a NUL.
            try:
                parsed = parse_datetime(value)
            except ValueError:
                parsed = None
            if parsed is not None and parsed.tzinfo is None:
                self.fail("offset")
        return super().to_internal_value(value)
