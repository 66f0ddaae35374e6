"""The server's entry."""

import io
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings")

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_chunked_bodies(application: WSGIApplication, *, limit: int) -> WSGIApplication:
    """Django takes a body without Content-Length for an empty one: a chunked request would lose what it says.

    Such a body is read here, to one byte past the limit: its length then tells Django that it is too large.
    """

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        if chunked and environ.get("wsgi.input_terminated"):
            try:
                body = environ["wsgi.input"].read(limit + 1)
                length = len(body)
            except OSError:
                body, length = b"", 1  # It broke off; the parser finds that less has come than was told.
            environ.update({"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(length)})
        return application(environ, start_response)

    return serve


def build() -> WSGIApplication:
    django_application = get_wsgi_application()
    from django.conf import settings  # only now are they loaded with a named module

    return with_chunked_bodies(django_application, limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


application = build()
