"""The OpenAPI description: drf-spectacular's, plus headers, conditions and errors of every operation."""

import hashlib
import inspect
import re
from functools import cache
from typing import Any

from drf_spectacular import openapi
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from rest_framework.fields import empty
from rest_framework.permissions import SAFE_METHODS, AllowAny

from .encoder import dumps
from .endpoints import Endpoint
from .error_schemas import PRECONDITION_FAILED, error_responses, error_schemas, response_name
from .header_schemas import COMMON_HEADERS, HEADERS, refer
from .idempotency import FORMAT
from .links import MOVES_TO
from .parameters import DryRunParameters, QueryParameters
from .serializers import StrictSerializer

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "pattern": f"^{FORMAT}$"},
    "description": "Makes a retry safe: for 24 hours, the same key and body return the first response again.",
    "example": "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52",
}
CONDITIONS = {
    "If-None-Match": {
        "description": "The ETag of your copy. While it is current, the response is 304 without a body.",
        "schema": {"type": "string"},
    },
    "If-Match": {
        "description": "The ETag of the version that you change. If it is no longer current, the response "
        "is 412.",
        "schema": {"type": "string"},
        "example": '"17"',
    },
}
SUCCESSES = {"200": "OK", "201": "Created", "202": "Accepted", "204": "No Content"}
MEMBERS = "x-enum-varnames"


class AutoSchema(openapi.AutoSchema):
    """Adds what endpoint() declares for an action, and what all operations have in common."""

    @property
    def handler(self) -> Any:
        return getattr(self.view, getattr(self.view, "action", None) or self.method.lower())

    @property
    def endpoint(self) -> Endpoint:
        declared: Endpoint = self.handler.endpoint
        return declared

    def get_operation_id(self) -> str:
        return self.name_kind(self.endpoint.name)

    def name_kind(self, text: str) -> str:
        """Fill in the names of the view's kind of objects."""
        kind = getattr(self.view, "kind", None)
        if kind is None:
            return text
        names = {"kind": kind.name, "kinds": kind.plural}
        return text.format(**names, **{name.title(): each.title() for name, each in names.items()})

    def _map_basic_serializer(self, serializer: Any, direction: str) -> dict[str, Any]:
        """Responses have all fields, even those that requests may omit; `optional` are exceptions.

        The descriptions of fields contain the defaults: some generators of clients conclude from the keyword
        `default` that a body must have the field, and others always send it.
        """
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)
        properties = schema.get("properties", {})
        if direction == "response" and properties:
            schema["required"] = sorted({*properties} - {*getattr(serializer, "optional", ())})
        if direction == "request" and isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
        for name, field in properties.items():
            field = properties[name] = {key: value for key, value in field.items() if key != "default"}
            default = serializer.fields[name].default
            # PATCH leaves omitted fields as they are.
            if direction == "response" or default is empty or getattr(serializer, "partial", False):
                continue
            if isinstance(serializer, QueryParameters):
                field["default"] = default
            else:
                text = f"Default: `{dumps(default).decode()}`."
                field["description"] = " ".join(filter(None, [field.get("description"), text]))
        return schema

    def _get_serializer_field_meta(self, field: Any, direction: str) -> dict[str, Any]:
        """The fields that a serializer lists in `never_null` are null in requests only."""
        meta: dict[str, Any] = super()._get_serializer_field_meta(field, direction)
        if direction == "response" and field.field_name in getattr(field.parent, "never_null", ()):
            del meta["nullable"]
        return meta

    def _map_serializer_field(self, field: Any, *args: Any, **kwargs: Any) -> Any:
        """The default leaves out allow_empty, the limits of nested serializers, and the names of choices."""
        schema = super()._map_serializer_field(field, *args, **kwargs)
        if not all(str(value).isidentifier() for value in schema.get("enum", ())):
            schema[MEMBERS] = [re.sub(r"\W", "_", str(label)).upper() for label in field.choices.values()]
        if schema.get("type") == "array":
            least = getattr(field, "min_length", None) or int(not getattr(field, "allow_empty", True))
            limits = {"minItems": least, "maxItems": getattr(field, "max_length", None)}
            return {**schema, **{name: limit for name, limit in limits.items() if limit}}
        return schema

    @property
    def parameters(self) -> type[QueryParameters]:
        view: Any = self.view
        view.endpoint = self.endpoint
        parameters: type[QueryParameters] = view.get_parameters()
        return parameters

    def get_override_parameters(self) -> list[Any]:
        return [self.parameters] if self.parameters is not QueryParameters else []

    def get_request_serializer(self) -> Any:
        get = getattr(self.view, "get_request_serializer", super().get_request_serializer)
        return get()

    def _get_request_body(self, direction: str = "request") -> Any:
        if self.method != "DELETE" or not self.endpoint.takes_body:
            return super()._get_request_body(direction)
        self.method = "POST"
        try:
            return super()._get_request_body(direction)
        finally:
            self.method = "DELETE"

    def get_response_serializers(self) -> Any:
        serializer = super().get_response_serializers()
        return dict.fromkeys(self.endpoint.success, serializer) or serializer

    def get_description(self) -> str:  # type: ignore[override]
        """The docstring of the action or of its view, but not of a base class."""
        return inspect.cleandoc(self.handler.__doc__ or type(self.view).__doc__ or "")

    def get_auth(self) -> list[dict[str, list[str]]]:
        return [] if self.is_public else [{"bearer": []}]

    @property
    def is_public(self) -> bool:
        return any(isinstance(permission, AllowAny) for permission in self.view.get_permissions())

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        operation.setdefault("security", [])  # drf-spectacular leaves out an empty list.
        for text in operation.keys() & {"summary", "description"}:
            operation[text] = self.name_kind(operation[text])
        for status, response in operation["responses"].items():
            response["description"] = response.get("description") or SUCCESSES[status]
            response.setdefault("headers", {}).update(COMMON_HEADERS)
            if self.takes_idempotency_key:
                response["headers"] |= refer("Idempotent-Replayed")
            if issubclass(self.parameters, DryRunParameters):
                response["headers"] |= refer("Dry-Run")
        for status in self.error_statuses(operation):
            name = self.precondition_failed_name if status == 412 else response_name(status)
            operation["responses"].setdefault(str(status), {"$ref": f"#/components/responses/{name}"})
        if self.takes_idempotency_key:
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
        if self.method == "PATCH":
            operation["requestBody"]["required"] = True  # Only its fields are optional.
        if self.endpoint.conditional:
            self.describe_condition(operation)
        if self.endpoint.moves_to:
            operation[MOVES_TO] = self.endpoint.moves_to
        return operation

    def describe_condition(self, operation: dict[str, Any]) -> None:
        reads = self.method in SAFE_METHODS
        name = "If-None-Match" if reads else "If-Match"
        operation.setdefault("parameters", []).append({"name": name, "in": "header", **CONDITIONS[name]})
        if self.endpoint.has_etag:
            operation["responses"]["200"]["headers"] |= refer("ETag")
        if reads:
            operation["responses"]["304"] = {"description": "Not Modified", "headers": refer("ETag")}

    @property
    def precondition_failed_name(self) -> str:
        """The name of the response 412, which shows an object of the view."""
        if not self.endpoint.shows_current:
            return PRECONDITION_FAILED
        view: Any = self.view
        return f"{self.resolve_serializer(view.get_serializer(), 'response').name}{PRECONDITION_FAILED}"

    @property
    def takes_idempotency_key(self) -> bool:
        return self.method == "POST" and self.endpoint.idempotent

    def error_statuses(self, operation: dict[str, Any]) -> list[int]:
        statuses = {400, 406, 414, 417, 421, 429, 431, 500, 503, 504}
        statuses |= set(self.endpoint.extra_statuses)
        if not self.is_public:
            statuses |= {401, 403}
        if any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
            statuses.add(404)
        if self.method not in SAFE_METHODS:
            statuses |= {409, 413, 415}
            if self.endpoint.conditional:
                statuses.add(412)
        if self.takes_idempotency_key:
            statuses.add(422)
        return sorted(statuses)


def select_endpoints(endpoints: list[Any], **_: Any) -> list[Any]:
    """drf-spectacular's hook: all in the order of use, without those under /users/{user_id}/."""
    paths = list(dict.fromkeys(path for path, *_ in endpoints if not path.startswith("/api/v1/users/")))
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]  # drf-spectacular has them in a set.
    selected = [each for each in endpoints if each[0] in paths]
    # The routes are in the order of their frequency.
    paths.sort(key=lambda path: not path.startswith(("/api/v1/auth/", "/api/v1/me")))
    return sorted(selected, key=lambda each: (paths.index(each[0]), methods.index(each[2])))


def add_components(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's hook for the components that the operations refer to."""
    operations = [operation for path in result["paths"].values() for operation in path.values()]
    used = {tag for operation in operations for tag in operation["tags"]}
    result["tags"] = [tag for tag in result.get("tags", []) if tag["name"] in used]
    components = result.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    name_members(schemas)
    for schema in schemas.values():
        if "oneOf" in schema:
            schema["anyOf"] = schema.pop("oneOf")  # An object may be valid for several alternatives.
    components["headers"] = HEADERS
    components["responses"] = responses = error_responses(
        {
            response["$ref"].rpartition("/")[2]
            for operation in operations
            for response in operation["responses"].values()
            if "$ref" in response
        }
    )
    schemas |= error_schemas(name for name in responses if name.endswith(PRECONDITION_FAILED))
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token or a personal access token.",
        }
    }
    return result


def name_members(schemas: dict[str, Any]) -> None:
    """Move the names of choices from the fields to the enums that drf-spectacular has made of them."""
    for schema in [*schemas.values()]:
        for field in schema.get("properties", {}).values():
            chosen = field.get("items", field)
            if names := chosen.pop(MEMBERS, None):
                [enum] = chosen["allOf"]
                schemas[enum["$ref"].rpartition("/")[2]][MEMBERS] = names
                if len(chosen) == 1:
                    chosen.update(chosen.pop("allOf")[0])


@cache
def document() -> tuple[dict[str, Any], str]:
    """The description and its digest. Generating them takes as long as many requests."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return schema, hashlib.sha256(dumps(schema)).hexdigest()[:32]


@cache
def document_as_yaml() -> bytes:
    schema, _ = document()
    text: bytes = OpenApiYamlRenderer().render(schema, renderer_context={})
    return text
