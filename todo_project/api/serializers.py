"""The base class of request bodies."""

from collections.abc import Callable
from functools import cached_property
from itertools import islice
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.fields import get_error_detail

from .errors import ValidationFailed


def body_example(**body: Any) -> Any:
    """A class decorator that adds an example request to the OpenAPI description."""
    return extend_schema_serializer(examples=[OpenApiExample("Example", body, request_only=True)])


def set_plain_messages(field: Any) -> None:
    """Replace messages of DRF that do not say what is allowed."""
    field.error_messages |= {
        "blank": "This field must not be blank.",
        "null": "This field must not be null.",
        "empty": "This field must not be empty.",
        "not_a_list": "This field must be a list.",
        "not_a_dict": "This field must be an object.",
    }
    if isinstance(field, serializers.ChoiceField):
        choices = ("one of " if len(field.choices) > 1 else "") + ", ".join(map(str, field.choices))
        field.error_messages["invalid_choice"] = f"This field must be {choices}."
    if child := getattr(field, "child", None):
        set_plain_messages(child)


# DRF ignores unknown fields, so a client would believe that they were saved.
# This is not a docstring because the OpenAPI description would repeat it for every body.
class StrictSerializer(serializers.Serializer[Any]):
    default_error_messages = {
        "invalid": "This field must be an object.",
        "null": "This field must be an object, not null.",
        "unknown": "Unknown field {name!r}. Allowed: {allowed}.",
        "read_only": "This field is set by the server.",
    }

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            set_plain_messages(field)
        return fields

    @cached_property
    def validators_by_name(self) -> dict[str, Callable[[Any], Any]]:
        """The functions that validate the values of writable fields."""
        return {str(field.field_name): self._validator(field) for field in self._writable_fields}

    def _validator(self, field: Any) -> Callable[[Any], Any]:
        method = getattr(self, f"validate_{field.field_name}", None)
        if method is None:
            return field.run_validation
        return lambda value: method(field.run_validation(value))

    @cached_property
    def omitted(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The defaults of fields that are omitted, and the errors of those that are required."""
        return self._validate(dict.fromkeys(self.validators_by_name, serializers.empty))

    def to_internal_value(self, data: Any) -> Any:
        """As in DRF, which however validates each omitted field in each request."""
        if not isinstance(data, dict):
            return super().to_internal_value(data)
        names = self.validators_by_name
        unknown: dict[str, Any] = {}
        if not data.keys() <= names.keys():
            extra = islice((name for name in data if name not in names), ValidationFailed.MAX_ERRORS)
            unknown = {name: self._error(name) for name in extra}
            data = {name: value for name, value in data.items() if name in names}
        values, errors = self._validate(data)
        defaults, missing = self.omitted
        errors |= {name: missing[name] for name in missing if name not in data}
        if unknown or errors:
            raise serializers.ValidationError(
                unknown | {name: errors[name] for name in names if name in errors}
            )
        return defaults | values

    def _validate(self, data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, value in data.items():
            try:
                values[name] = self.validators_by_name[name](value)
            except serializers.ValidationError as error:
                errors[name] = error.detail
            except DjangoValidationError as error:
                errors[name] = get_error_detail(error)
            except serializers.SkipField:
                pass
        return values, errors

    def run_validators(self, value: Any) -> None:
        """As in DRF, which however looks for defaults of read-only fields first, in each request."""
        if self.validators:
            super().run_validators(value)

    def _error(self, name: str) -> serializers.ErrorDetail:
        code = "read_only" if name in self.fields else "unknown"
        allowed = ", ".join(self.validators_by_name) or "none"
        message = str(self.error_messages[code]).format(name=name[:100], allowed=allowed)
        return serializers.ErrorDetail(message, code=code)
