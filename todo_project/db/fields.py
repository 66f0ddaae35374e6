"""Model fields."""

import uuid
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models


@cache
def time_zones() -> frozenset[str]:
    """The names in the package tzdata: the same on every machine, unlike those of the operating system."""
    names = files("tzdata").joinpath("zones").read_text().split()
    return frozenset(names) - {"Factory"}  # for machines without a time zone


def validate_time_zone(name: str) -> None:
    if name not in time_zones():
        raise ValidationError("Enter the name of a time zone, such as Europe/Berlin.", code="invalid")


class TimeZoneField(models.CharField):
    """The name of a time zone in the IANA database."""

    default_validators = [validate_time_zone]

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 64, **options})


class ColorField(models.CharField):
    """A color as #rrggbb, in lower case."""

    default_validators = [RegexValidator("^#[0-9a-f]{6}$", "Enter a color, such as #1e90ff.")]

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 7, **options})

    def to_python(self, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class UUIDListField(models.TextField):
    """UUIDs in ascending order, stored as the JSON text that responses contain."""

    def to_python(self, value: Any) -> Any:
        return [each if isinstance(each, uuid.UUID) else uuid.UUID(each) for each in value]

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> list[uuid.UUID]:
        # NULL comes from an outer join, such as that of select_related().
        return [uuid.UUID(each) for each in orjson.loads(value or "[]")]

    def get_prep_value(self, value: Any) -> Any:
        return orjson.dumps(sorted(value)).decode() if isinstance(value, list) else value


class JSONTextField(models.TextField):
    """A value stored as the JSON text that responses contain. No query looks into it."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else orjson.loads(value)

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else orjson.dumps(value).decode()
