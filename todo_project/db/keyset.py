"""Keyset pagination: each page starts after the last row of the previous one.

Inserted and deleted rows cause no gaps or repetitions, all pages cost the same, and no COUNT is needed.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from django.db.models import Expression, F, Func, Model, QuerySet, TextField, Value
from django.db.models.lookups import GreaterThan, LessThan

Q = TypeVar("Q", bound=QuerySet[Any, Any])


class Row(Func):
    """A row value, for a comparison of several columns that uses one index."""

    template = "(%(expressions)s)"
    output_field = TextField()


@lru_cache(maxsize=1000)
def keyset_for(model: type[Model], ordering: str) -> "Keyset":
    return Keyset(model, ordering)


class Keyset:
    """An ordering of one owner's rows by one field, then by primary key. Missing values come last.

    A field without equal values needs no primary key, so an index on the owner and the field serves it.
    """

    def __init__(self, model: type[Model], ordering: str) -> None:
        self.ordering, self.descending = ordering, ordering.startswith("-")
        field: Any = model._meta.get_field(ordering.removeprefix("-"))
        self.is_nullable = field.null
        keys = [{*constraint.fields} for constraint in model._meta.total_unique_constraints]
        self.names = [field.name] if {"owner", field.name} in keys else [field.name, model._meta.pk.name]
        fields: list[Any] = [model._meta.get_field(name) for name in self.names]
        self.fields = [getattr(each, "output_field", each) for each in fields]  # of a generated field

    def ranges(self, rows: Q, position: Sequence[Any] | None, limit: int) -> list[Q]:
        """Querysets that together, in this order, contain the first rows, or those after a position.

        Each is a range of an index. The rows with and without a value are two ranges, because an index that
        has the missing values at its end has them first in the opposite direction.
        """
        if not self.is_nullable:
            return [self._range(rows, position, limit)]
        missing = rows.filter(**{f"{self.names[0]}__isnull": True})
        if position is not None and position[0] is None:
            return [self._range(missing, position, limit)]
        present = rows.filter(**{f"{self.names[0]}__isnull": False})
        return [self._range(present, position, limit), self._range(missing, None, limit)]

    def _range(self, rows: Q, position: Sequence[Any] | None, limit: int) -> Q:
        if position is not None:
            after = LessThan if self.descending else GreaterThan
            pairs = [
                (F(name), value if isinstance(value, Expression) else Value(value, field))
                for name, field, value in zip(self.names, self.fields, position, strict=True)
                if value is not None
            ]
            columns, values = zip(*pairs, strict=True)
            rows = rows.filter(after(Row(*columns), Row(*values)))
        sign = "-" if self.descending else ""
        return rows.order_by(*(sign + name for name in self.names))[:limit]

    def read_position(self, position: Sequence[Any]) -> list[Any]:
        """The Python values of a position that was stored as JSON."""
        return [field.to_python(value) for field, value in zip(self.fields, position, strict=True)]

    def position(self, row: Any) -> list[Any]:
        """The sort key of a row, which may be an instance, a mapping or a tuple that ends in JSON text."""
        row = orjson.loads(row[-1]) if isinstance(row, tuple) else row
        read = row.__getitem__ if isinstance(row, Mapping) else lambda name: getattr(row, name)
        return [read(name) for name in self.names]
