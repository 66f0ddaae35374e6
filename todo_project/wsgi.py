import io
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings")

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_chunked_bodies(application: WSGIApplication, *, limit: int) -> WSGIApplication:
    """Read chunked request bodies, which Django ignores because they have no Content-Length.

    One byte more than the limit is enough for Django to reject a larger body.
    """

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        if chunked and environ.get("wsgi.input_terminated"):
            try:
                body = environ["wsgi.input"].read(limit + 1)
                length = len(body)
            except OSError:
                # The client has disconnected. The parser rejects a body that is shorter than its length.
                body, length = b"", 1
            environ.update({"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(length)})
        return application(environ, start_response)

    return serve


if settings.SENTRY_DSN:
    from todo_project.server import error_reports  # Not at the top: reports that are off cost no import.

    error_reports.start()

application = with_chunked_bodies(get_wsgi_application(), limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
