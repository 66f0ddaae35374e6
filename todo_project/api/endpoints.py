"""What a view declares about one of its actions, in one place: its behaviour and its description."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiParameter, extend_schema

from .parameters import QueryParameters

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True)
class Endpoint:
    parameters: type[QueryParameters] = QueryParameters
    """The query parameters that it takes; by default none."""

    conditional: bool = False
    """Whether it takes If-None-Match (when it reads) or If-Match (when it writes)."""

    has_etag: bool = True
    """Whether the response to a conditional request has an ETag; a deleted object has none."""

    idempotent: bool = True
    """Whether the response to a POST is stored for retries. One that contains a secret must not be."""

    extra_statuses: tuple[int, ...] = ()
    """Error statuses to describe that do not follow from the method and the settings above."""


def endpoint(
    summary: str,
    *,
    parameters: type[QueryParameters] = QueryParameters,
    conditional: bool = False,
    has_etag: bool = True,
    idempotent: bool = True,
    extra_statuses: tuple[int, ...] = (),
    response_headers: Sequence[OpenApiParameter] = (),
    **schema: Any,
) -> Callable[[Handler], Handler]:
    """Declare an action (or, in a plain view, a method). Further arguments are those of extend_schema()."""
    declared = Endpoint(parameters, conditional, has_etag, idempotent, extra_statuses)

    def declare(handler: Handler) -> Handler:
        handler = extend_schema(summary=summary, parameters=[*response_headers], **schema)(handler)
        handler.endpoint = declared  # type: ignore[attr-defined]
        return handler

    return declare
