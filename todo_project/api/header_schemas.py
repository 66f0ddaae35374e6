"""The headers of responses in the OpenAPI description."""

from typing import Any


def header(description: str, kind: str = "string", **schema: Any) -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind, **schema}}


def refer(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


HEADERS = {
    "X-Request-ID": header("The request's ID, as sent or generated. Include it when you report a problem."),
    "RateLimit-Limit": header("Requests allowed in the current window.", "integer"),
    "RateLimit-Remaining": header("Requests left in the current window.", "integer"),
    "RateLimit-Reset": header("Seconds until the next window.", "integer"),
    "ETag": header("The current version, to send in If-None-Match or If-Match."),
    "Idempotent-Replayed": header(
        "`true` if this is the stored response to an earlier request with the same key.", enum=["true"]
    ),
    "Dry-Run": header("`true` if nothing was changed, because of `dry_run=true`.", enum=["true"]),
}
COMMON_HEADERS = refer("X-Request-ID", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
