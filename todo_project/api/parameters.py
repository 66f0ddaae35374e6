"""Query parameters: declared once as a serializer's fields, checked strictly, documented by them too."""

import re
from typing import Any, ClassVar

from django.http import QueryDict
from rest_framework import serializers

from .error_handling import flatten
from .errors import ValidationFailed


class NumberField(serializers.IntegerField):
    """In ASCII's digits: Python would read 1_0 and ٥ as well."""

    def to_internal_value(self, data: Any) -> int:
        if re.fullmatch(r"-?[0-9]+", data) is None:
            self.fail("invalid")
        return super().to_internal_value(data)


class QueryParameters(serializers.Serializer[Any]):
    """The parameters of one operation; with no fields, an operation that takes none.

    A field's default is the parameter's; without one, a parameter that was not sent is not in the result.
    """

    _declared: ClassVar["QueryParameters"]

    def get_fields(self) -> dict[str, Any]:
        """None is required, and the description says so."""
        fields = super().get_fields()
        for field in fields.values():
            field.required = False
        return fields

    @classmethod
    def clean(cls, sent: QueryDict) -> dict[str, Any]:
        """The values sent, typed; a mistyped name must not become an unfiltered list."""
        fields = cls._fields_once()
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
            raise serializers.ValidationError(
                f"Unknown query parameter. Known here: {known}.", code="unknown"
            )
        if len(values) > 1:
            raise serializers.ValidationError("This parameter was sent more than once.", code="repeated")
        # Django decodes broken percent-encoding to U+FFFD instead of refusing it.
        if "\ufffd" in values[0]:
            raise serializers.ValidationError("This parameter is not UTF-8.", code="encoding")
        return fields[name].run_validation(values[0])

    @classmethod
    def _fields_once(cls) -> dict[str, Any]:
        """Bound fields keep no state between calls, and making them costs more than using them."""
        if "_declared" not in vars(cls):
            cls._declared = cls()
        return dict(cls._declared.fields)
