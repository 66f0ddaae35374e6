"""The filters of a list, each declared once: its parameter, its condition and the type of its value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import QuerySet
from rest_framework import serializers

from .parameters import QueryParameters

Rows = TypeVar("Rows", bound=QuerySet[Any, Any])


@dataclass(frozen=True)
class Filter:
    parameter: serializers.Field[Any, Any, Any, Any]
    apply: Callable[[Any, Any, datetime], Any]
    """Takes the rows, the parameter's value and the time of the request."""

    value: Any = None
    """The model field of the value; None if the value decides on the SQL itself, as true and false do."""

    depends_on_time: bool = False
    """Whether its rows change as time passes, without a write: such a list has no ETag."""

    plan_each_time: bool = False
    """Whether the best plan depends on the value, so that the query must not be compiled once."""


def apply_filters(
    rows: Rows, filters: Mapping[str, Filter], query: Mapping[str, Any], *, at: datetime
) -> Rows:
    for name, each in filters.items():
        if name in query:
            rows = each.apply(rows, query[name], at)
    return rows


def parameters_of(filters: Mapping[str, Filter]) -> type[QueryParameters]:
    """A base class for the query parameters of a list that takes these filters."""
    return type(
        "FilterParameters", (QueryParameters,), {name: each.parameter for name, each in filters.items()}
    )
