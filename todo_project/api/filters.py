"""Filters of a list, each declared once with its parameter, condition and value type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from rest_framework import serializers

from .parameters import QueryParameters

Rows = TypeVar("Rows", bound=QuerySet[Any, Any])


@dataclass(frozen=True)
class Context:
    """Whose rows are listed, the time of the request, and the day that it is on in the user's time zone."""

    owner: Any
    now: Any
    today: Any

    @classmethod
    def of(cls, owner: Any, now: datetime, zone: ZoneInfo) -> "Context":
        return cls(owner, now, now.astimezone(zone).date())


@dataclass(frozen=True, eq=False)
class Filter:
    parameter: serializers.Field[Any, Any, Any, Any]
    apply: Callable[[Any, Any, Context], Any]
    """A function of the rows, the parameter's value and the context of the request."""

    value: Any = None
    """The model field of the SQL parameter, in a list if it has several values; None if values such as true
    and false lead to different SQL.
    """

    constants: frozenset[str] = frozenset()
    """Values that nevertheless lead to different SQL, such as "none"."""

    in_zone: Callable[[Any, ZoneInfo], tuple[Any, ...]] | None = None
    """Converts the parameter, in a time zone, to SQL parameters, whose model fields are the tuple `value`."""

    depends_on_time: bool = False
    """Whether the rows change as time passes, without a write. Such a list has no ETag."""

    plan_each_time: bool = False
    """Whether the best query plan depends on the value. Without `value`, the SQL does too."""

    timeout: float | None = None
    """Seconds after which such a query is cancelled; None for the limit of every statement."""


def apply_filters(
    rows: Rows, filters: Mapping[str, Filter], values: Mapping[str, Any], context: Context
) -> Rows:
    for name, each in filters.items():
        rows = each.apply(rows, values[name], context)
    return rows


def parameters_of(filters: Mapping[str, Filter]) -> type[QueryParameters]:
    """A base class for the query parameters of a list that takes these filters."""
    return type(
        "FilterParameters", (QueryParameters,), {name: each.parameter for name, each in filters.items()}
    )
