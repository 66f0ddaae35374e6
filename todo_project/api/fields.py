"""Serializer fields with strict types. DRF's own convert: 5 becomes "5", and "yes" and 1 become true."""

import datetime as dt
import re
import unicodedata
import uuid
from typing import Any

from rest_framework import serializers

from todo_project.db.fields import time_zones

UUID_PATTERN = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
UUID_FORMAT = re.compile(UUID_PATTERN)
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
WITHOUT_OFFSET = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?", re.ASCII)
UNESCAPED_PLUS = re.compile(r"T\d\d:\d\d:\d\d(\.\d+)? \d\d:\d\d$", re.ASCII)
INVISIBLE_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"

WHOLE_NUMBER_MESSAGES: dict[str, Any] = {
    "invalid": "This field must be a whole number.",
    "min_value": "This field must be at least {min_value}.",
    "max_value": "This field must be at most {max_value}.",
}


class BooleanField(serializers.BooleanField):
    default_error_messages = {"invalid": "This field must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class IntegerField(serializers.IntegerField):
    default_error_messages = WHOLE_NUMBER_MESSAGES

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:  # True is an int, too.
            self.fail("invalid")
        return super().to_internal_value(data)


class CharField(serializers.CharField):
    default_error_messages = {"invalid": "This field must be a string."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class TextField(CharField):
    """Text written by people, in Unicode's composed form (NFC): a search finds it however it was typed."""

    def to_internal_value(self, data: Any) -> str:
        return unicodedata.normalize("NFC", super().to_internal_value(data))


class ChoiceField(serializers.ChoiceField):
    def to_internal_value(self, data: Any) -> Any:
        choice = super().to_internal_value(data)
        if type(choice) is not type(data):
            self.fail("invalid_choice", input=data)
        return choice


class UUIDField(serializers.UUIDField):
    default_error_messages = {
        "invalid": "This field must be a UUID, such as 0b8f3c1d-e5a9-4f0c-8a54-e9e1f2f7d9aa."
    }

    def to_internal_value(self, data: Any) -> uuid.UUID:
        if not isinstance(data, str) or not UUID_FORMAT.fullmatch(data):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class InstantField(serializers.DateTimeField):
    """An RFC 3339 time with a UTC offset. Without one, DRF would assume the server's time zone."""

    default_error_messages = {
        "invalid": "This field must be a time such as 2030-01-31T09:00:00Z, with at most six decimals.",
        "offset": "This field must have a UTC offset, such as 2030-01-31T09:00:00Z.",
        "plus": "This field must have a UTC offset such as +01:00. In a URL, write its + as %2B.",
    }

    def to_internal_value(self, value: Any) -> dt.datetime:
        if isinstance(value, str) and WITHOUT_OFFSET.fullmatch(value):
            self.fail("offset")
        if isinstance(value, str) and UNESCAPED_PLUS.search(value):
            self.fail("plus")
        if not isinstance(value, str) or not RFC_3339.fullmatch(value):
            self.fail("invalid", format="RFC 3339")
        return super().to_internal_value(value)


class DayField(serializers.DateField):
    """A day without a time."""

    default_error_messages = {"invalid": "This field must be a day, such as 2030-01-31, without a time."}

    def to_internal_value(self, value: Any) -> dt.date:
        if not isinstance(value, str) or not DAY.fullmatch(value):
            self.fail("invalid", format="YYYY-MM-DD")
        day: dt.date = super().to_internal_value(value)
        return day


class TimeZoneField(CharField):
    """The name of a time zone."""

    default_error_messages = {"unknown": "This field must be the name of a time zone, such as Europe/Berlin."}

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in time_zones():
            self.fail("unknown")
        return name


def is_visible(text: str) -> bool:
    """Whether any character shows on a screen: not only spaces, controls, formats and fillers."""
    return any(unicodedata.category(each)[0] not in "CZ" and each not in INVISIBLE_LETTERS for each in text)
