"""Keyset pagination: each page starts after the last row of the previous one.

Inserted and deleted rows cause no gaps or repetitions, all pages cost the same, and no COUNT is needed.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import orjson
from django.db.models import DateTimeField, Expression, F, Func, Model, OrderBy, QuerySet, TextField, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan, LessThan

Q = TypeVar("Q", bound=QuerySet[Any, Any])

MIN_DATETIME = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
MAX_DATETIME = dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)


class Row(Func):
    """A row value, for a comparison of several columns that uses one index."""

    template = "(%(expressions)s)"
    output_field = TextField()


class Keyset:
    """An ordering of a model by one field, then by primary key. Missing values come last."""

    def __init__(self, model: type[Model], ordering: str) -> None:
        self.ordering, self.descending = ordering, ordering.startswith("-")
        field: Any = model._meta.get_field(ordering.removeprefix("-"))
        self.name, self.is_nullable = field.name, field.null
        self.field: Any = getattr(field, "output_field", field)  # of a generated field
        self.pk: Any = model._meta.pk

    @property
    def missing(self) -> Any:
        """The value that replaces NULL, which cannot be compared."""
        return MIN_DATETIME if self.descending else MAX_DATETIME

    @property
    def column(self) -> Any:
        if not self.is_nullable:
            return F(self.name)
        if not isinstance(self.field, DateTimeField):
            raise TypeError(f"{self.field} is nullable; only a nullable DateTimeField can be an ordering")
        return Coalesce(F(self.name), Value(self.missing, output_field=self.field))

    def sort(self, rows: Q) -> Q:
        pk = "-pk" if self.descending else "pk"
        return rows.order_by(OrderBy(self.column, descending=self.descending), pk)

    def page(self, rows: Q, position: Sequence[Any] | None, limit: int) -> Q:
        """The first rows, or those after a position."""
        if position is not None:
            after = LessThan if self.descending else GreaterThan
            values = (
                value if isinstance(value, Expression) else Value(value, field)
                for value, field in zip(position, (self.field, self.pk), strict=True)
            )
            rows = rows.filter(after(Row(self.column, F("pk")), Row(*values)))
        return self.sort(rows)[:limit]

    def read_position(self, position: Sequence[Any]) -> list[Any]:
        """The Python values of a position that was stored as JSON."""
        value, pk = position
        return [self.field.to_python(value), self.pk.to_python(pk)]

    def position(self, row: Any) -> list[Any]:
        """The sort key of a row, which may be an instance, a mapping or a tuple that ends in JSON text."""
        row = orjson.loads(row[-1]) if isinstance(row, tuple) else row
        read = row.__getitem__ if isinstance(row, Mapping) else lambda name: getattr(row, name)
        value = read(self.name)
        return [self.missing if value is None else value, read(self.pk.name)]
