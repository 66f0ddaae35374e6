"""The errors that the API documents, with the status, code and message of each.

They are plain exceptions, so the domain may raise them; error_handling.py turns them into responses.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.conf import settings


class ApiError(Exception):
    """The base of all errors. As in DRF, subclasses define a status, a code and a message."""

    status_code = 500
    default_code = "INTERNAL_ERROR"
    default_detail = "Something went wrong on the server. Include the request ID when you report it."
    default_headers: Mapping[str, str] = {}
    commits_on_error = False
    """Whether the request's changes are committed nevertheless, such as the count of failed logins."""

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = self.default_code
        self.message = message or self.default_detail
        self.details = dict(details or {})
        self.headers = {**self.default_headers, **(headers or {})}
        super().__init__(self.message)


class ValidationFailed(ApiError):
    status_code = 400
    default_code = "VALIDATION_ERROR"

    MAX_ERRORS = 100
    """The maximum number of errors that a response lists."""

    def __init__(self, errors: Iterable[dict[str, Any]]) -> None:
        errors = list(islice(errors, self.MAX_ERRORS))
        first = errors[0]
        details = {"field": first["field"], "constraint": first["constraint"], "errors": errors}
        super().__init__(first["message"], details=details)

    @classmethod
    def of(cls, field: str | None, constraint: str, message: str) -> "ValidationFailed":
        return cls([{"field": field, "constraint": constraint, "message": message}])

    def within(self, path: str) -> "ValidationFailed":
        """The same errors in a part of the body."""
        return type(self)({**error, "field": f"{path}.{error['field']}"} for error in self.details["errors"])


class MalformedRequest(ApiError):
    status_code = 400
    default_code = "MALFORMED_REQUEST"
    default_detail = "The request cannot be read. Check its URL, headers and body."


class UriTooLong(MalformedRequest):
    status_code = 414
    default_detail = "The URL is too long. Send at most 8,190 bytes, including the method."


class ExpectationFailed(MalformedRequest):
    status_code = 417
    default_detail = "The only supported expectation is 'Expect: 100-continue'."


class HeadersTooLarge(MalformedRequest):
    status_code = 431
    default_detail = "The headers are too large. Send at most 100 headers of up to 8,190 bytes."


class InvalidCursor(ApiError):
    status_code = 400
    default_code = "INVALID_CURSOR"
    default_detail = "This cursor was not issued for this list. Start again without a cursor."


class NotAuthenticated(ApiError):
    status_code = 401
    default_code = "NOT_AUTHENTICATED"
    default_detail = "Sign in and send the access token as 'Authorization: Bearer …'."
    default_headers = {"WWW-Authenticate": 'Bearer realm="api"'}


class Forbidden(ApiError):
    status_code = 403
    default_code = "PERMISSION_DENIED"
    default_detail = "You do not have permission to do this."


class NotFound(ApiError):
    status_code = 404
    default_code = "NOT_FOUND"
    default_detail = "Not found. Check the URL and the ID."


class MethodNotAllowed(ApiError):
    status_code = 405
    default_code = "METHOD_NOT_ALLOWED"
    default_detail = "This URL does not support this method. The Allow header lists the supported ones."


class NotAcceptable(ApiError):
    status_code = 406
    default_code = "NOT_ACCEPTABLE"
    default_detail = "Responses are JSON. Send 'Accept: application/json' or no Accept header."


class Conflict(ApiError):
    status_code = 409
    default_code = "CONFLICT"
    default_detail = "This conflicts with another change. Read the current state and try again."


class QuotaExceeded(ApiError):
    status_code = 409
    default_code = "QUOTA_EXCEEDED"
    default_detail = (
        "You have reached the limit that details.quota names. Delete something permanently first."
    )

    @classmethod
    def of(cls, quota: str, message: str) -> "QuotaExceeded":
        """The message may contain {limit}."""
        limit = quota_limit(quota)
        return cls(message.format(limit=f"{limit:,}"), details={"quota": quota, "limit": limit})


def quota_limit(quota: str) -> int:
    """The limit of "tasks" is the setting QUOTA_TASKS."""
    limit: int = getattr(settings, f"QUOTA_{quota.upper()}")
    return limit


class RequestInProgress(ApiError):
    status_code = 409
    default_code = "REQUEST_IN_PROGRESS"
    default_detail = "A request with this Idempotency-Key is still in progress. Try again shortly."
    default_headers = {"Retry-After": "1"}


class ResyncRequired(ApiError):
    status_code = 410
    default_code = "RESYNC_REQUIRED"
    default_detail = "Changes since this point are no longer available. Read everything again, from since=0."


class Gone(ApiError):
    status_code = 410
    default_code = "GONE"
    default_detail = "The object with this key was deleted permanently. Use another key for a new object."


class PreconditionFailed(ApiError):
    status_code = 412
    default_code = "PRECONDITION_FAILED"
    default_detail = (
        "The object has changed since you read it. Merge your change into details.current and retry with "
        "its ETag."
    )


class PayloadTooLarge(ApiError):
    status_code = 413
    default_code = "PAYLOAD_TOO_LARGE"
    default_detail = "The body is larger than 4 MB. Split it into smaller requests."


class UnsupportedMediaType(ApiError):
    status_code = 415
    default_code = "UNSUPPORTED_MEDIA_TYPE"
    default_detail = "Send the body as UTF-8 JSON with 'Content-Type: application/json'."


class UnknownHost(ApiError):
    status_code = 421
    default_code = "UNKNOWN_HOST"
    default_detail = "This server does not serve the host of the URL. Use the host that its operator names."


class IdempotencyKeyReused(ApiError):
    status_code = 422
    default_code = "IDEMPOTENCY_KEY_REUSED"
    default_detail = "This Idempotency-Key was used for a different request. Use a new key for each request."


class RateLimited(ApiError):
    status_code = 429
    default_code = "RATE_LIMITED"
    default_detail = "Too many requests. Try again after the delay in Retry-After."

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after)})


class InternalError(ApiError):
    """An unexpected exception. The attributes are those of ApiError."""


class ServiceUnavailable(ApiError):
    status_code = 503
    default_code = "SERVICE_UNAVAILABLE"
    default_detail = "The service is temporarily unavailable. Try again shortly."
    default_headers = {"Retry-After": "5"}


class QueryTimeout(ApiError):
    status_code = 504
    default_code = "QUERY_TIMEOUT"
    default_detail = "The database took too long to answer. Request less data or try again later."


def all_errors() -> list[type[ApiError]]:
    """All subclasses of ApiError, including those defined in apps."""
    return sorted(set(_subclasses(ApiError)), key=lambda error: (error.status_code, error.default_code))


def _subclasses(error: type[ApiError]) -> Iterator[type[ApiError]]:
    for subclass in error.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


BY_STATUS: dict[int, type[ApiError]] = {
    error.status_code: error
    for error in (
        MalformedRequest, NotAuthenticated, Forbidden, NotFound, MethodNotAllowed, NotAcceptable, Conflict,
        PayloadTooLarge, UnsupportedMediaType, ServiceUnavailable, QueryTimeout,
    )
}  # fmt: skip


def error_for_status(status: int) -> ApiError:
    """The error for a response that was not made from an ApiError, such as Django's own 404."""
    if status in BY_STATUS:
        return BY_STATUS[status]()
    return MalformedRequest() if status < 500 else InternalError()
