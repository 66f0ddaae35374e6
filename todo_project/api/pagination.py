"""Keyset pagination with signed cursors."""

from collections.abc import Mapping
from itertools import chain, islice
from typing import Any
from urllib.parse import urlencode

import orjson
from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from todo_project.db.keyset import Keyset, keyset_for

from .errors import InvalidCursor
from .parameters import NumberField, QueryParameters

MAX_LIMIT = 200
DEFAULT_LIMIT = 50


class PageParameters(QueryParameters):
    limit = NumberField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT, help_text="Page size.")
    cursor = serializers.CharField(max_length=5000, help_text="The previous page's `next_cursor`. Opaque.")


class OrderingField(serializers.ChoiceField):
    """The choices are names of orderings, with a leading "-" for descending; the values are columns."""

    def __init__(self, columns: Mapping[str, str], **options: Any) -> None:
        self.columns = {sign + name: sign + columns[name] for name in columns for sign in ("", "-")}
        options.setdefault("help_text", "Missing values come last; ties are ordered by id.")
        choices = [(name, f"{name[1:]} descending" if name[0] == "-" else name) for name in self.columns]
        super().__init__(choices=choices, **options)

    def to_internal_value(self, data: Any) -> str:
        return self.columns[super().to_internal_value(data)]


def ordering_parameter(*names: str, default: str, **columns: str) -> OrderingField:
    """An `ordering` parameter for orderings that are named like their columns, and for others."""
    return OrderingField({**{name: name for name in names}, **columns}, default=default)


class OrjsonSerializer:
    """Django's signing serializer escapes non-ASCII letters, which makes cursors too long for a URL."""

    def dumps(self, position: Any) -> bytes:
        return orjson.dumps(position)

    def loads(self, data: bytes) -> Any:
        return orjson.loads(data)


def next_url(request: Request, cursor: str) -> str:
    parameters = [(name, value) for name, values in request.query_params.lists() for value in values]
    query = urlencode(
        [*((name, value) for name, value in parameters if name != "cursor"), ("cursor", cursor)]
    )
    return f"{request.scheme}://{request.get_host()}{request.path}?{query}"


class KeysetPagination(BasePagination):
    """For views with the query parameters `ordering`, `limit` and `cursor`.

    Paginates a queryset, or an object with a `model` and a `page()` method.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        query = view.query
        keyset = keyset_for(queryset.model, query["ordering"])
        position = self.read_cursor(keyset, request, query)
        one_more = query["limit"] + 1
        if isinstance(queryset, QuerySet):
            ranges = keyset.ranges(queryset, position, one_more)
            rows = list(islice(chain.from_iterable(ranges), one_more))
        else:
            rows = queryset.page(keyset, position, one_more)
        page = rows[: query["limit"]]
        self.next = self.next_cursor = None
        if len(rows) > len(page):
            self.next_cursor = self.signer(request, query).sign_object(
                keyset.position(page[-1]), serializer=OrjsonSerializer, compress=True
            )
            self.next = next_url(request, self.next_cursor)
        return page

    @classmethod
    def read_cursor(cls, keyset: Keyset, request: Request, query: Mapping[str, Any]) -> list[Any] | None:
        """The position after which the page starts; None without a cursor."""
        if "cursor" not in query:
            return None
        try:
            position = cls.signer(request, query).unsign_object(query["cursor"], serializer=OrjsonSerializer)
            return keyset.read_position(position)
        except (signing.BadSignature, ValidationError, ValueError) as error:
            raise InvalidCursor from error

    @staticmethod
    def signer(request: Request, query: Mapping[str, Any]) -> signing.Signer:
        """A cursor is valid only for the user, list, ordering and filters that it was issued for."""
        filters = sorted(
            (name, str(value)) for name, value in query.items() if name not in {"cursor", "limit"}
        )
        return signing.Signer(salt=f"cursor:{request.user.pk}:{request.path_info}:{filters}")

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.next, "next_cursor": self.next_cursor})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["results", "next", "next_cursor"],
            "properties": {
                "results": schema,
                "next": {
                    "type": ["string", "null"],
                    "format": "uri",
                    "description": "URL of the next page; null on the last page.",
                },
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "The `cursor` of the next page, for clients that build URLs themselves.",
                },
            },
        }
