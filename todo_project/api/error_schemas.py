"""The errors in the OpenAPI description: their responses, schemas and examples."""

from collections.abc import Iterable
from typing import Any

from .errors import ApiError, PreconditionFailed, all_errors
from .header_schemas import COMMON_HEADERS, header

RETRY_AFTER = {"Retry-After": header("Seconds to wait before you retry.", "integer")}
ERROR_HEADERS = {
    401: {"WWW-Authenticate": header("How to authenticate.")},
    429: RETRY_AFTER,
    503: RETRY_AFTER,
}
# Not HTTPStatus.phrase, which differs between versions of Python.
STATUS_NAMES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    421: "Misdirected Request",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def response_name(status: int) -> str:
    return STATUS_NAMES[status].replace(" ", "")


PRECONDITION_FAILED = response_name(PreconditionFailed.status_code)


def error_responses(names: Iterable[str]) -> dict[str, Any]:
    """The responses with these names; each has an example of every error that it may be."""
    responses: dict[str, Any] = {}
    for error in all_errors():
        status = response_name(error.status_code)
        for name in sorted(name for name in names if name.endswith(status)):
            schema = schema_ref(name if status == PRECONDITION_FAILED else "Error")
            response = responses.setdefault(
                name,
                {
                    "description": STATUS_NAMES[error.status_code],
                    "headers": COMMON_HEADERS | ERROR_HEADERS.get(error.status_code, {}),
                    "content": {"application/json": {"schema": schema, "examples": {}}},
                },
            )
            examples = response["content"]["application/json"]["examples"]
            examples[error.default_code] = {"value": example(error)}
    return responses


def example(error: type[ApiError]) -> dict[str, Any]:
    message, details = str(error.default_detail), {}
    if error.default_code == "VALIDATION_ERROR":
        message = "Title must not be blank."
        one = {"field": "title", "constraint": "blank"}
        details = {**one, "errors": [{**one, "message": message}]}
    return {
        "error": {
            "code": error.default_code,
            "message": message,
            "request_id": "0b8f3c1de5a94f0c8a54e9e1f2f7d9aa",
            "details": details,
        }
    }


def error_schemas(names: Iterable[str]) -> dict[str, Any]:
    """`Error`, and one for each of the responses 412, whose details contain the current object."""
    text = {"type": "string"}
    field = {"type": ["string", "null"], "description": "Dotted path; null for the whole body."}
    codes = {error.default_code for error in all_errors()} - {PreconditionFailed.default_code}
    details = {
        "field": field,
        "constraint": text,
        "errors": {"type": "array", "items": schema_ref("FieldError")},
        "scope": text | {"description": "With INSUFFICIENT_SCOPE."},
        "quota": text | {"description": "With QUOTA_EXCEEDED."},
        "limit": {"type": "integer", "description": "With QUOTA_EXCEEDED."},
    }
    schemas = {
        "ErrorCode": text | {"enum": sorted(codes)},
        "FieldError": object_schema({"field": field, "constraint": text, "message": text}),
        "ErrorDetails": {
            "type": "object",
            "description": "More about the error; empty if there is nothing to add.",
            "properties": details,
        },
        "Error": one_error(schema_ref("ErrorCode"), schema_ref("ErrorDetails")),
    }
    for name in names:
        shown = name.removesuffix(PRECONDITION_FAILED)
        current = object_schema({"current": schema_ref(shown)} if shown else {})
        current["properties"] |= {
            "field": text | {"description": "In bulk: `operations.3.if_match`."},
            "constraint": text,
            "errors": details["errors"],
        }
        schemas[name] = one_error({"const": PreconditionFailed.default_code}, current)
    return schemas


def one_error(code: dict[str, Any], details: dict[str, Any]) -> dict[str, Any]:
    message = {"type": "string", "description": "For people; it may change. Programs should read `code`."}
    parts = {"code": code, "message": message, "request_id": {"type": "string"}, "details": details}
    return object_schema({"error": object_schema(parts)})


def schema_ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """An object whose properties are all required."""
    return {"type": "object", "required": [*properties], "properties": properties}
