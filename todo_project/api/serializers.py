"""What every body has in common: nothing unknown, nothing server-owned, no time without an offset."""

import datetime as dt
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers


def body_example(**body: Any) -> Any:
    """What a request looks like, for the API's description."""
    return extend_schema_serializer(examples=[OpenApiExample("Example", body, request_only=True)])


# Refuses by name what it does not take; DRF would ignore it, and the client believe it saved.
# Not a docstring, which the description would repeat for every body.
class StrictSerializer(serializers.Serializer[Any]):
    default_error_messages = {
        "unknown": "Unknown field.",
        "read_only": "This field is set by the server.",
    }

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            refused = {name: self._refusal(str(name)) for name in data if name not in self._writable}
            if refused:
                raise serializers.ValidationError(refused)
        return super().to_internal_value(data)

    @property
    def _writable(self) -> set[str]:
        return {name for name, field in self.fields.items() if not field.read_only}

    def _refusal(self, name: str) -> list[serializers.ErrorDetail]:
        code = "read_only" if name in self.fields else "unknown"
        return [serializers.ErrorDetail(str(self.error_messages[code]), code=code)]


class InstantField(serializers.DateTimeField):
    """A moment: ISO 8601 with an offset. Without one it would be a guess, wrong for most of the world."""

    default_error_messages = {"offset": "Write the time with an offset, such as 2030-01-31T09:00:00Z."}

    def to_internal_value(self, value: Any) -> dt.datetime:
        if isinstance(value, str):
            if not value.isascii() or not value.isprintable():
                self.fail("invalid", format="ISO 8601")  # Python would read up to a NUL, and not beyond.
            try:
                parsed = parse_datetime(value)
            except ValueError:
                parsed = None
            if parsed is not None and parsed.tzinfo is None:
                self.fail("offset")
        return super().to_internal_value(value)
