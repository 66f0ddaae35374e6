"""Turns exceptions, and Django's own error responses, into responses of one shape:

    {"error": {"code", "message", "request_id", "details"}}

Clients never see internals: no stack trace, SQL, file path or driver message.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError, split_domain_port
from django.shortcuts import render
from rest_framework import exceptions as drf
from rest_framework.fields import get_error_detail
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.settings import api_settings

from todo_project.db.errors import Rejected, Unavailable, diagnose

from . import errors
from .encoder import dumps
from .errors import ApiError
from .request_log import current_request_id

logger = logging.getLogger(__name__)

HTML_PREFIX = "/admin/"


def error_body(error: ApiError) -> dict[str, Any]:
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "request_id": current_request_id(),
            "details": _details(error),
        }
    }


def _details(error: ApiError) -> dict[str, Any]:
    """Whatever names a field does it as validation errors do, so that clients read one shape."""
    if "field" not in error.details:
        return error.details
    first = {"constraint": error.code.lower(), **error.details}
    one = {"field": first["field"], "constraint": first["constraint"]}
    return {**one, "errors": [{**one, "message": error.message}], **error.details}


class ErrorResponse(HttpResponse):
    """An error response that DRF does not render."""

    def __init__(self, error: ApiError) -> None:
        body = dumps(error_body(error))
        headers = {"Content-Length": str(len(body)), **error.headers}
        super().__init__(body, status=error.status_code, content_type="application/json", headers=headers)
        self.error_code = error.code


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER. Server errors are logged with their stack trace."""
    error = translate(exc, context["request"].method)
    if error.status_code >= 500:
        log = logger.exception if isinstance(error, errors.InternalError) else logger.warning
        log("%s: %s", error.code, type(exc).__name__, exc_info=exc)
    response = Response(error_body(error), status=error.status_code, headers=error.headers)
    response.error_code = error.code  # type: ignore[attr-defined]  # for the request log
    return response


def translate(exc: Exception, method: str | None) -> ApiError:
    """The documented error for any exception in a request with this method."""
    match exc:
        case ApiError():
            return exc
        case DatabaseError():
            return _translate_database_error(exc, method)
        case drf.ValidationError():
            return errors.ValidationFailed(flatten(exc.get_full_details()))
        case ValidationError():
            return errors.ValidationFailed(
                flatten(drf.ValidationError(get_error_detail(exc)).get_full_details())
            )
        case drf.Throttled():
            return errors.RateLimited(retry_after=math.ceil(getattr(exc, "wait", None) or 1))
        case drf.APIException():
            return errors.error_for_status(exc.status_code)
        case Http404():
            return errors.NotFound()
        case PermissionDenied():
            return errors.Forbidden()
        case RequestDataTooBig():
            return errors.PayloadTooLarge()
        case UnreadablePostError() | BadRequest() | SuspiciousOperation():
            return errors.MalformedRequest()
        case _:
            return errors.InternalError()


def _translate_database_error(exc: DatabaseError, method: str | None) -> ApiError:
    match diagnose(exc):
        case Rejected(field, code, message, conflict=True):
            return errors.Conflict(message, details={"field": field, "constraint": code})
        case Rejected(field, code, message):
            return errors.ValidationFailed.of(field, code, message)
        case Unavailable(timeout=True):
            return errors.QueryTimeout()
        case Unavailable(contention=True) if method not in SAFE_METHODS:
            return errors.Conflict()
        case Unavailable():
            return errors.ServiceUnavailable()
        case _:
            return errors.InternalError()


def flatten(detail: Any, path: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """DRF's nested error details as a flat list, with dotted paths such as operations.3.title."""
    if _is_one_error(detail):
        named = [part for part in path if part != api_settings.NON_FIELD_ERRORS_KEY]
        yield {
            "field": ".".join(named) or None,
            "constraint": detail["code"],
            "message": _name_the_field(str(detail["message"]), named),
        }
    elif isinstance(detail, Mapping):
        # The errors of a many=True serializer have integer keys, the indexes of the rows.
        for key, inner in detail.items():
            yield from flatten(inner, (*path, str(key)))
    else:
        for index, inner in enumerate(detail):
            yield from flatten(inner, path if _is_one_error(inner) else (*path, str(index)))


def _is_one_error(detail: Any) -> bool:
    return (
        isinstance(detail, Mapping) and set(detail) == {"message", "code"} and isinstance(detail["code"], str)
    )


def _name_the_field(message: str, path: list[str]) -> str:
    label = path[-1].replace("_", " ").capitalize() if path else "The body"
    if label.isdecimal() and len(path) > 1:
        label = f"Item {label} of {path[-2].replace('_', ' ')}"
    return message.replace("This field", label, 1).replace("this field", label.lower(), 1)


class ErrorShapeMiddleware:
    """Gives errors outside API views the same shape, whether DEBUG is on or off.

    The admin keeps Django's HTML pages, and has a page of its own for an unavailable database.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (
            response.status_code < 400
            or is_html_area(request)
            or isinstance(response, Response | ErrorResponse)
        ):
            return response
        refusal = errors.UnknownHost() if is_unknown_host(request) else None
        error = ErrorResponse(refusal or errors.error_for_status(response.status_code))
        for name, value in response.items():
            if not name.lower().startswith("content-"):
                error.headers.setdefault(name, value)
        return error

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        error = translate(exception, request.method)
        if isinstance(error, errors.InternalError):
            return None  # Django logs it with its stack trace; __call__ then replaces the response.
        if error.status_code >= 500:
            logger.warning("%s: %s", error.code, type(exception).__name__, exc_info=exception)
        if not is_html_area(request):
            return ErrorResponse(error)
        if not isinstance(exception, DatabaseError):
            return None
        return render(request, "503.html", {"message": error.message}, status=error.status_code)


def is_unknown_host(request: HttpRequest) -> bool:
    """Whether Django refused the request because of ALLOWED_HOSTS; the log then names the host."""
    try:
        request.get_host()
    except DisallowedHost:
        host, _ = split_domain_port(request.headers.get("Host", ""))
        if host:  # Otherwise the header is missing or malformed.
            logger.warning("Refused a request for the unknown host %s.", host[:255])
            return True
    return False


def is_html_area(request: HttpRequest) -> bool:
    return request.path_info.startswith(HTML_PREFIX)
