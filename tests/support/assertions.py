"""The assertion about error responses that all tests use."""

from typing import Any


def assert_error(
    response: Any, status: int, code: str, *, field: str | None = None, constraint: str | None = None
) -> dict[str, Any]:
    """The response is this error in the one shape; returns its inner object."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    assert list(response.json()) == ["error"]

    error: dict[str, Any] = response.json()["error"]
    assert list(error) == ["code", "message", "request_id", "details"]
    assert error["code"] == code
    assert error["message"]
    assert error["request_id"] == response["X-Request-ID"]
    details = error["details"]
    if field is not None:
        assert details["field"] == field
    if constraint is not None:
        assert details["constraint"] == constraint
    if "field" in details:
        assert details["errors"][0] == {
            "field": details["field"], "constraint": details["constraint"], "message": error["message"]
        }  # fmt: skip
    return error
