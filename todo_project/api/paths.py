"""URL converters for IDs, and the middleware that separates the API from pages."""

import uuid
from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.urls import register_converter

API_PREFIX = "/api/"
ME = "me"


class IdConverter:
    """A UUID in either case: Apple's UUID type writes capitals, which Django's converter rejects."""

    regex = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

    def to_python(self, value: str) -> uuid.UUID:
        return uuid.UUID(value)

    def to_url(self, value: uuid.UUID | str) -> str:
        return str(value)


class UserConverter(IdConverter):
    """A user's ID, or `me` for the authenticated user."""

    regex = f"me|{IdConverter.regex}"

    def to_python(self, value: str) -> Any:
        return value if value == ME else super().to_python(value)


register_converter(IdConverter, "id")
register_converter(UserConverter, "user")


class ApiMiddleware:
    """Requests to the API skip the middleware below this one, which is for pages.

    Serves /api/v1/tasks/ as /api/v1/tasks. A redirect would lose the body of a POST.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.call_view = innermost(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith(API_PREFIX):
            return self.get_response(request)
        request.get_host()  # Raises an error if ALLOWED_HOSTS does not list it.
        if path.endswith("/") and not path.endswith("//"):
            request.path_info = path.removesuffix("/")
            request.path = request.path.removesuffix("/")
        return self.call_view(request)


def innermost(handler: Any) -> Callable[[HttpRequest], HttpResponse]:
    """Django's function that calls the view, below all middleware."""
    while next_handler := getattr(handler.__wrapped__, "get_response", None):
        handler = next_handler
    return cast(Callable[[HttpRequest], HttpResponse], handler)
