"""The endpoint() decorator, which declares the behaviour and the OpenAPI description of an action."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiParameter, extend_schema

from .parameters import QueryParameters

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True)
class Endpoint:
    name: str
    """The operation's ID in the description."""

    parameters: type[QueryParameters] = QueryParameters
    """The query parameters; by default none are allowed."""

    conditional: bool = False
    """Whether If-None-Match (for reads) or If-Match (for writes) is supported."""

    has_etag: bool = True
    """Whether a successful response has an ETag; the response to a deletion has none."""

    shows_current: bool = True
    """Whether the response 412 shows the current object."""

    idempotent: bool = True
    """Whether the response to a POST is stored for retries. A response that contains a secret must not be."""

    takes_body: bool = False
    """Whether a DELETE has a body, which drf-spectacular would leave out."""

    is_transaction: bool = True
    """Whether a write runs in one transaction. Otherwise the view begins transactions itself, except with an
    Idempotency-Key and in a dry run, which have one."""

    success: tuple[int, ...] = ()
    """The statuses of the view's serializer, where drf-spectacular assumes another one."""

    moves_to: str | None = None
    """The collection that has the object afterwards, if it is another one. The description links to it."""

    extra_statuses: tuple[int, ...] = ()
    """Error statuses for the description, beyond those that follow from the method and the fields above."""


def endpoint(
    name: str, summary: str, *, response_headers: Sequence[OpenApiParameter] = (), **options: Any
) -> Callable[[Handler], Handler]:
    """Declare an action of a viewset or a method of a view. Generated clients have a method of this name.

    {kind} and {kinds} in texts, {Kind} and {Kinds} in names, stand for those of a view with a `kind`. Options
    are the fields of Endpoint and the arguments of drf-spectacular's extend_schema().
    """
    names = options.keys() & {field.name for field in fields(Endpoint)}
    declared = Endpoint(name, **{each: options.pop(each) for each in names})

    def declare(handler: Handler) -> Handler:
        handler = extend_schema(summary=summary, parameters=[*response_headers], **options)(handler)
        handler.endpoint = declared  # type: ignore[attr-defined]
        return handler

    return declare
