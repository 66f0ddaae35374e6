"""Query parameters are declared as the fields of a serializer, which validates and documents them."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from .error_handling import flatten
from .errors import ValidationFailed
from .fields import WHOLE_NUMBER_MESSAGES, UUIDField
from .serializers import set_plain_messages


class NumberField(serializers.IntegerField):
    """Accepts ASCII digits only: Python's int() also accepts 1_0 and ٥."""

    default_error_messages = WHOLE_NUMBER_MESSAGES

    def to_internal_value(self, data: Any) -> int:
        if re.fullmatch(r"-?[0-9]+", data) is None:
            self.fail("invalid")
        return super().to_internal_value(data)


class TrueFalseField(serializers.BooleanField):
    """DRF's own also reads yes, on, t and 1."""

    TRUE_VALUES = {"true"}
    FALSE_VALUES = {"false"}
    NULL_VALUES = set()
    default_error_messages = {"invalid": "This field must be true or false."}


class CommaSeparatedField(serializers.ListField):
    """Separated by commas, or repeated, as generated clients send lists."""

    is_repeatable = True

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_empty=False, **options)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value([part for each in data for part in each.split(",")])


class UUIDListField(CommaSeparatedField):
    child = UUIDField()

    def to_internal_value(self, data: Any) -> Any:
        return tuple(super().to_internal_value(data))  # A list could not be part of a key.


@extend_schema_field({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "string", "const": "none"}]})
class UUIDOrNoneField(UUIDField):
    """A UUID, or "none"."""

    default_error_messages = {"invalid": "This field must be a UUID or none."}

    def to_internal_value(self, data: Any) -> Any:
        return data if data == "none" else super().to_internal_value(data)


class FieldsField(CommaSeparatedField):
    """Selects the fields of the objects in a response."""

    def __init__(self, names: Iterable[str], **options: Any) -> None:
        options.setdefault("help_text", "Only these fields. `id` and `version` are always included.")
        super().__init__(child=serializers.ChoiceField(choices=[*names]), **options)

    def to_internal_value(self, data: Any) -> Any:
        return frozenset(super().to_internal_value(data))


class QueryParameters(serializers.Serializer[Any]):
    """The optional query parameters of an action. The base class allows none."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            field.required = False
        return fields

    @classmethod
    def clean(cls, sent: QueryDict) -> dict[str, Any]:
        """The validated parameters and the defaults of omitted ones.

        Unknown names are rejected: a misspelled filter must not return an unfiltered list.
        """
        fields = cls._cached_fields()
        cleaned = {
            name: field.default for name, field in fields.items() if field.default is not serializers.empty
        }
        errors: list[dict[str, Any]] = []
        for name, values in sent.lists():
            try:
                cleaned[name] = cls._clean_one(fields, name, values)
            except serializers.ValidationError as error:
                errors += flatten(error.get_full_details(), (name,))
        if errors:
            raise ValidationFailed(errors)
        return cleaned

    @staticmethod
    def _clean_one(fields: dict[str, Any], name: str, values: list[str]) -> Any:
        if name not in fields:
            known = ", ".join(fields) or "none"
            message = f"Unknown query parameter {name!r}. Allowed: {known}."
            raise serializers.ValidationError(message, code="unknown")
        repeatable = getattr(fields[name], "is_repeatable", False)
        if len(values) > 1 and not repeatable:
            raise serializers.ValidationError("This field must be sent only once.", code="repeated")
        # Django decodes broken percent-encoding to U+FFFD instead of rejecting it.
        if any("\ufffd" in value for value in values):
            raise serializers.ValidationError("This field must be UTF-8.", code="encoding")
        return fields[name].run_validation(values if repeatable else values[0])

    @classmethod
    @cache
    def _cached_fields(cls) -> dict[str, Any]:
        """Fields are stateless, and creating them costs more than validating."""
        fields = dict(cls().fields)
        for field in fields.values():
            set_plain_messages(field)
        return fields


class DryRunParameters(QueryParameters):
    """For writes that can be tried: see run_and_roll_back()."""

    dry_run = TrueFalseField(help_text="true: the same checks and response, but nothing is changed.")
