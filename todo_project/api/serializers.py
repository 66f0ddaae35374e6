"""The base class of request bodies."""

from typing import Any

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
