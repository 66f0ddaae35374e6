"""Keyset pages: each starts right behind the last row of the one before, so nothing is missed or seen twice
while rows come and go, and the hundredth page costs what the first does. No COUNT.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import orjson
from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import DateTimeField, Expression, F, Func, Model, OrderBy, QuerySet, TextField, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan, LessThan
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from .errors import InvalidCursor
from .parameters import NumberField, QueryParameters

Q = TypeVar("Q", bound=QuerySet[Any, Any])

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
FIRST = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
LAST = dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)


class PageParameters(QueryParameters):
    limit = NumberField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT, help_text="Rows in a page.")
    cursor = serializers.CharField(max_length=5000, help_text="From `next`; not to be made by hand.")


def ordering_parameter(*columns: str, default: str) -> serializers.ChoiceField:
    """The `ordering` of a list: each column upwards, and with "-" downwards."""
    choices = [sign + column for column in columns for sign in ("", "-")]
    return serializers.ChoiceField(
        choices=choices, default=default, help_text="Missing values come last; ties go by id."
    )


class Row(Func):
    """Several columns compared as one value, which an index on them answers by one descent."""

    template = "(%(expressions)s)"
    output_field = TextField()


class Keyset:
    """One ordering of a model's rows: by a column, missing values last, ties broken by id."""

    def __init__(self, model: type[Model], ordering: str) -> None:
        self.ordering, self.descending = ordering, ordering.startswith("-")
        self.field: Any = model._meta.get_field(ordering.removeprefix("-"))
        self.pk: Any = model._meta.pk

    @property
    def missing(self) -> Any:
        """What a missing value sorts as. NULL cannot be compared, so a position could not be behind it."""
        return FIRST if self.descending else LAST

    @property
    def column(self) -> Any:
        if not self.field.null:
            return F(self.field.name)
        if not isinstance(self.field, DateTimeField):
            raise TypeError(f"{self.field} can be null; only a nullable time can be an ordering")
        return Coalesce(F(self.field.name), Value(self.missing, output_field=self.field))

    def sort(self, rows: Q) -> Q:
        if self.descending:
            return rows.order_by(OrderBy(self.column, descending=True), "-pk")
        return rows.order_by(OrderBy(self.column), "pk")

    def page(self, rows: Q, position: Sequence[Any] | None, limit: int) -> Q:
        """The first rows, or those behind a position."""
        if position is not None:
            behind = LessThan if self.descending else GreaterThan
            values = (
                value if isinstance(value, Expression) else Value(value, field)
                for value, field in zip(position, (self.field, self.pk), strict=True)
            )
            rows = rows.filter(behind(Row(self.column, F("pk")), Row(*values)))
        return self.sort(rows)[:limit]

    def read_position(self, told: Sequence[Any]) -> list[Any]:
        """What position() told, as values."""
        value, pk = told
        return [self.field.to_python(value), self.pk.to_python(pk)]

    def position(self, row: Any) -> list[Any]:
        """Where a row stands, in JSON's types. A text is a row that the database has written as JSON."""
        row = orjson.loads(row) if isinstance(row, str) else row
        read = row.__getitem__ if isinstance(row, Mapping) else lambda name: getattr(row, name)
        value = read(self.field.name)
        return [_plain(self.missing if value is None else value), _plain(read(self.pk.name))]


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value


class UTF8:
    """Django would write each letter beyond ASCII as six or twelve; a cursor has to fit into a URL."""

    def dumps(self, position: Any) -> bytes:
        return orjson.dumps(position)

    def loads(self, text: bytes) -> Any:
        return orjson.loads(text)


class KeysetPagination(BasePagination):
    """For a view whose query parameters hold `ordering`, `limit` and `cursor`.

    Takes a queryset, or what has a model and a way of its own to read a page.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        query = view.query
        keyset = Keyset(queryset.model, query["ordering"])
        position = self.read_cursor(keyset, request, query)
        one_more = query["limit"] + 1
        if isinstance(queryset, QuerySet):
            rows = list(keyset.page(queryset, position, one_more))
        else:
            rows = queryset.page(keyset, position, one_more)
        page = rows[: query["limit"]]
        self.next = None
        if len(rows) > len(page):
            cursor = self.signer(request, query).sign_object(
                keyset.position(page[-1]), serializer=UTF8, compress=True
            )
            self.next = replace_query_param(request.build_absolute_uri(), "cursor", cursor)
        return page

    @classmethod
    def read_cursor(cls, keyset: Keyset, request: Request, query: Mapping[str, Any]) -> list[Any] | None:
        """The position behind which the page begins; none without a cursor."""
        if "cursor" not in query:
            return None
        try:
            told = cls.signer(request, query).unsign_object(query["cursor"], serializer=UTF8)
            return keyset.read_position(told)
        except (signing.BadSignature, ValidationError, ValueError) as error:
            raise InvalidCursor from error

    @staticmethod
    def signer(request: Request, query: Mapping[str, Any]) -> signing.Signer:
        """A cursor is good only for the caller, list, ordering and filters that it was made for."""
        filters = sorted(
            (name, str(value)) for name, value in query.items() if name not in {"cursor", "limit"}
        )
        return signing.Signer(salt=f"cursor:{request.user.pk}:{request.path_info}:{filters}")

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.next})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": schema,
                "next": {
                    "type": ["string", "null"],
                    "format": "uri",
                    "description": "The next page; null on the last.",
                },
            },
        }
