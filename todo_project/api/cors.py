from typing import Any

from corsheaders import middleware
from django.http import HttpRequest


class CorsMiddleware(middleware.CorsMiddleware):
    """Runs only for requests with an Origin. `Vary` of the others comes from the views."""

    def __call__(self, request: HttpRequest) -> Any:
        return super().__call__(request) if "HTTP_ORIGIN" in request.META else self.get_response(request)
