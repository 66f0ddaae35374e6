"""The one error shape. Every error that leaves this server is built here.

    {"error": {"code", "message", "request_id", "details"}}

An error has three class attributes, as in DRF; a message says what to do next; nothing internal ever leaves.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.http import HttpResponse
from rest_framework.exceptions import APIException

from .renderers import dumps
from .request_log import current_request_id

RETRY_AFTER = 5


class ApiError(APIException):
    """An error of the contract; subclasses say which."""

    status_code = 500
    default_code = "INTERNAL_ERROR"
    default_detail = "Something went wrong on our side. Quote the request id when you report it."
    commits_on_error = False
    """Whether what the request wrote stands although it is refused, such as the count of failed logins."""

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = str(self.default_code)
        self.message = message or str(self.default_detail)
        self.details = dict(details or {})
        self.headers = dict(headers or {})
        super().__init__(self.message, self.code)

    @property
    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "request_id": current_request_id(),
                "details": self.details,
            }
        }


class ValidationFailed(ApiError):
    status_code = 400
    default_code = "VALIDATION_ERROR"

    TOLD = 100
    """So many errors are told at once; nobody reads more."""

    def __init__(self, errors: Iterable[dict[str, Any]]) -> None:
        errors = list(islice(errors, self.TOLD))
        first = errors[0]
        details = {"field": first["field"], "constraint": first["constraint"], "errors": errors}
        super().__init__(first["message"], details=details)

    @classmethod
    def of(cls, field: str | None, constraint: str, message: str) -> "ValidationFailed":
        return cls([{"field": field, "constraint": constraint, "message": message}])


class MalformedRequest(ApiError):
    status_code = 400
    default_code = "MALFORMED_REQUEST"
    default_detail = "The request cannot be read. Check its URL, headers and body."


class InvalidCursor(ApiError):
    status_code = 400
    default_code = "INVALID_CURSOR"
    default_detail = "This cursor was not issued for this list. Start again without a cursor."


class NotAuthenticated(ApiError):
    status_code = 401
    default_code = "NOT_AUTHENTICATED"
    default_detail = "Sign in, and send the access token as 'Authorization: Bearer …'."

    challenge = 'Bearer realm="api"'

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"WWW-Authenticate": self.challenge})


class Forbidden(ApiError):
    status_code = 403
    default_code = "PERMISSION_DENIED"
    default_detail = "You may not do this."


class NotFound(ApiError):
    status_code = 404
    default_code = "NOT_FOUND"
    default_detail = "There is nothing here for you. Check the URL and the id."


class MethodNotAllowed(ApiError):
    status_code = 405
    default_code = "METHOD_NOT_ALLOWED"
    default_detail = "This URL does not take this method; the Allow header names those it takes."


class NotAcceptable(ApiError):
    status_code = 406
    default_code = "NOT_ACCEPTABLE"
    default_detail = "Answers are JSON. Send 'Accept: application/json' or no Accept header."


class Conflict(ApiError):
    status_code = 409
    default_code = "CONFLICT"
    default_detail = "This conflicts with another change. Read the current state and try again."


class RequestInProgress(ApiError):
    status_code = 409
    default_code = "REQUEST_IN_PROGRESS"
    default_detail = "The first request with this Idempotency-Key still runs. Try again shortly."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class ResyncRequired(ApiError):
    status_code = 410
    default_code = "RESYNC_REQUIRED"
    default_detail = "Changes since then are no longer known. Read everything again, from since=0."


class PreconditionFailed(ApiError):
    status_code = 412
    default_code = "PRECONDITION_FAILED"
    default_detail = "This was changed meanwhile. Merge with details.current, and send its ETag in If-Match."


class PayloadTooLarge(ApiError):
    status_code = 413
    default_code = "PAYLOAD_TOO_LARGE"
    default_detail = "The body is too large. Send less at once."


class UnsupportedMediaType(ApiError):
    status_code = 415
    default_code = "UNSUPPORTED_MEDIA_TYPE"
    default_detail = "Send the body as UTF-8 JSON, with 'Content-Type: application/json'."


class IdempotencyKeyReused(ApiError):
    status_code = 422
    default_code = "IDEMPOTENCY_KEY_REUSED"
    default_detail = "This Idempotency-Key was used for another request. Use a new key for a new request."


class RateLimited(ApiError):
    status_code = 429
    default_code = "RATE_LIMITED"
    default_detail = "Too many requests. Wait as long as Retry-After says."

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after)})


class InternalError(ApiError):
    """The class attributes of ApiError, by their own name."""


class ServiceUnavailable(ApiError):
    status_code = 503
    default_code = "SERVICE_UNAVAILABLE"
    default_detail = "The service cannot answer right now. Try again shortly."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"Retry-After": str(RETRY_AFTER)})


class QueryTimeout(ApiError):
    status_code = 504
    default_code = "QUERY_TIMEOUT"
    default_detail = "The database took too long. Ask for less at once, or try again later."


def contract() -> list[type[ApiError]]:
    """Every error that a client may meet, those of the apps included."""
    found = set(_below(ApiError))
    return sorted(found, key=lambda error: (error.status_code, error.default_code))


def _below(error: type[ApiError]) -> Iterator[type[ApiError]]:
    for kind in error.__subclasses__():
        yield kind
        yield from _below(kind)


BY_STATUS: dict[int, type[ApiError]] = {
    error.status_code: error
    for error in (
        MalformedRequest, NotAuthenticated, Forbidden, NotFound, MethodNotAllowed, NotAcceptable, Conflict,
        PayloadTooLarge, UnsupportedMediaType, ServiceUnavailable, QueryTimeout,
    )
}  # fmt: skip


def error_for_status(status: int) -> ApiError:
    """The error that says the most about a response of which only the status is known."""
    if status in BY_STATUS:
        return BY_STATUS[status]()
    return MalformedRequest() if status < 500 else InternalError()


class ErrorResponse(HttpResponse):
    """An error in the one shape, outside DRF."""

    def __init__(self, error: ApiError) -> None:
        body = dumps(error.body)
        headers = {"Content-Length": str(len(body)), **error.headers}
        super().__init__(body, status=error.status_code, content_type="application/json", headers=headers)
