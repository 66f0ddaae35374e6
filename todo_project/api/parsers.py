"""Parses JSON, with limits on size and depth, and rejects text that a database cannot store."""

from collections.abc import Mapping
from itertools import chain
from typing import IO, Any

import orjson
from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser

from .errors import MalformedRequest, PayloadTooLarge, UnsupportedMediaType

MAX_DEPTH = 32
# Includes field names. A bulk request with 100 tasks has about 2,000.
MAX_VALUES = 10_000


class JSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        _, parameters = parse_header_parameters(media_type or "")
        if parameters.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
            raise UnsupportedMediaType("The body must be UTF-8.")
        request = (parser_context or {})["request"]
        # Unlike the stream, `body` is limited in size and can be read again for the idempotency fingerprint.
        body: bytes = request.body
        if len(body) < int(request.META.get("CONTENT_LENGTH") or 0):
            # Even the beginning of a body may be valid JSON.
            raise MalformedRequest("The body is shorter than its Content-Length.")
        return loads(body)


def loads(body: bytes) -> Any:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequest(f"The body is not valid JSON: error at {place}.") from error
    # The check costs more than parsing, so bodies that cannot fail it are not checked.
    separators = body.count(b"[") + body.count(b"{")
    if separators > MAX_DEPTH or body.count(b",") + separators > MAX_VALUES or b"\\u0000" in body:
        check_complexity(data)
    return data


def check_complexity(data: Any) -> None:
    """Reject bodies that cost far more than their size suggests, and text with NUL."""
    level, seen = [data], 0
    for _ in range(MAX_DEPTH):
        seen += len(level)
        if seen > MAX_VALUES:
            raise PayloadTooLarge(f"The body has more than {MAX_VALUES} values. Split the request.")
        if "\0" in "".join([value for value in level if isinstance(value, str)]):
            raise MalformedRequest("The body contains the character NUL (\\u0000), which cannot be stored.")
        containers = [value for value in level if isinstance(value, dict | list)]
        if not containers:
            return
        values = [value.values() for value in containers if isinstance(value, dict)]
        level = [*chain.from_iterable([*containers, *values])]  # Iterating over an object returns its keys.
    raise MalformedRequest(f"The body is nested more than {MAX_DEPTH} levels deep.")
