"""URL converters for IDs, and the middleware that ignores trailing slashes."""

import uuid
from collections.abc import Callable
from typing import Any

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


class TrailingSlashMiddleware:
    """Serves /api/v1/tasks/ as /api/v1/tasks. A redirect would lose the body of a POST."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path.startswith(API_PREFIX) and path.endswith("/") and not path.endswith("//"):
            request.path_info = path.removesuffix("/")
            request.path = request.path.removesuffix("/")
        return self.get_response(request)
