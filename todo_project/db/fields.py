"""Model fields."""

from functools import cache
from importlib.resources import files
from typing import Any

from django.core.exceptions import ValidationError
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
