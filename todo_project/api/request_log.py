"""Request IDs, and one log line per request with its route, status, error code, duration, user and client.

The route is the URL pattern. The log never contains a query string or body, the path only with DEBUG, and of
the headers only the client's address.
"""

import logging
import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.utils.encoding import escape_uri_path
from django.utils.functional import LazyObject

from .addresses import client_address
from .encoder import dumps

logger = logging.getLogger("todo.request")

HEADER = "X-Request-ID"
FIELDS = ("method", "route", "status", "code", "duration_ms", "user_id", "client")

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_acceptable = re.compile(r"[!-~]{1,128}")


def current_request_id() -> str | None:
    return _request_id.get()


class RequestLogMiddleware:
    """Must be the outermost middleware, to time all others and to give their log lines the request's ID."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Not request.headers, which would parse all of them.
        offered = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = offered if _acceptable.fullmatch(offered) else uuid.uuid4().hex
        token = _request_id.set(request_id)
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response[HEADER] = request_id
            milliseconds = (time.perf_counter() - started) * 1000
            if logger.isEnabledFor(logging.INFO):
                values = {
                    "method": method_of(request),
                    "path": request.path,
                    "route": route_of(request),
                    "status": response.status_code,
                    "code": error_code_of(response),
                    "duration_ms": round(milliseconds, 1),
                    "user_id": user_id_of(request),
                    "client": client_address(request) or None,
                }
                # Not info(), which looks for the line that calls it.
                record = logger.makeRecord(
                    logger.name, logging.INFO, __file__, 0, "request", (), None, extra=values
                )
                logger.handle(record)
            return response
        finally:
            _request_id.reset(token)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def method_of(request: HttpRequest) -> str:
    return request.method if request.method in _METHODS else "other"


def route_of(request: HttpRequest) -> str | None:
    return f"/{request.resolver_match.route}" if request.resolver_match else None


def error_code_of(response: HttpResponse) -> str | None:
    """The code in the body of an error of the API; None for pages and for success."""
    return getattr(response, "error_code", None)


def user_id_of(request: HttpRequest) -> str | None:
    """The user's ID if the user is already loaded: a log line must not cause a query."""
    user = vars(request).get("user")
    if isinstance(user, LazyObject):
        user = vars(request).get("_cached_user")
    return str(user.pk) if user is not None and user.pk else None


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = getattr(record, "request_id", None) or current_request_id()
        return True


class StackFilter(logging.Filter):
    """Drops records without a stack trace: Django logs each error twice, with and without one."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None


class SlowClientFilter(logging.Filter):
    """Lowers the level of slow clients' timeouts, which gunicorn logs as server errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], BlockingIOError):
            record.msg, record.exc_info = "A client was too slow and was disconnected.", None
            record.levelno, record.levelname = logging.INFO, "INFO"
        return True


class JSONFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", None),
            **{name: value for name, value in vars(record).items() if name in FIELDS},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return dumps(line).decode()


class ReadableFormatter(logging.Formatter):
    """One short line for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == logger.name:
            values = vars(record)
            path = escape_uri_path(values["path"])  # Without line breaks.
            code = f" {values['code']}" if values["code"] else ""
            record.msg = f"{values['method']} {path} → {values['status']}{code} in {values['duration_ms']} ms"
        return super().format(record)
