"""Examples of all successful responses in the OpenAPI description, made from its schemas."""

from typing import Any

VALUES = {
    "uuid": "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52",
    "date-time": "2026-11-27T09:00:00.000000Z",
    "date": "2026-11-27",
    "email": "ann@example.com",
    "uri": "https://todo.example.com/docs",
    "string": "…",
    "integer": 1,
    "boolean": False,
}
"""By the format or type of a schema."""


def add_examples(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook."""
    schemas = result["components"]["schemas"]
    paths = {path: sent_to(operations) for path, operations in result["paths"].items()}
    values: dict[str, list[Any]] = {}
    for sent in paths.values():
        for field, value in sent.items():
            values.setdefault(field, []).append(value)
    unambiguous = {
        field: found[0] for field, found in values.items() if all(each == found[0] for each in found)
    }
    for path, operations in result["paths"].items():
        above = path.partition("/{")[0]
        examples = Examples(schemas, unambiguous | paths.get(above, {}))
        for operation in operations.values():
            for status, response in operation["responses"].items():
                for content in response.get("content", {}).values() if status < "300" else ():
                    content["example"] = examples.of(content["schema"])
    examples = Examples(schemas, unambiguous)
    for response in result["components"]["responses"].values():
        content = response["content"]["application/json"]
        schema = schemas[content["schema"]["$ref"].rpartition("/")[2]]
        details = schema["properties"]["error"]["properties"]["details"]
        if "current" in details.get("properties", {}):
            [example] = content["examples"].values()
            example["value"]["error"]["details"] = examples.of(details)
    return result


def sent_to(operations: dict[str, Any]) -> dict[str, Any]:
    """The fields in the examples of requests."""
    bodies = [operation.get("requestBody", {}).get("content", {}) for operation in operations.values()]
    contents = [content for body in bodies for content in body.values()]
    examples = [example["value"] for content in contents for example in content.get("examples", {}).values()]
    return {field: value for example in examples for field, value in example.items()}


class Examples:
    def __init__(self, schemas: dict[str, Any], sent: dict[str, Any]) -> None:
        self.schemas = schemas
        self.sent = sent

    def of(self, schema: dict[str, Any], field: str = "") -> Any:
        if "$ref" in schema:
            return self.of(self.schemas[schema["$ref"].rpartition("/")[2]], field)
        if variants := schema.get("allOf") or schema.get("oneOf") or schema.get("anyOf"):
            return self.of(variants[0], field)
        if field in self.sent and not isinstance(self.sent[field], dict):
            return self.sent[field]
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        kind = schema.get("type")
        if not isinstance(kind, str):  # Nullable, or of any type.
            return None
        if kind == "array":
            return [self.of(schema["items"])]
        if kind == "object":
            return {name: self.of(each, name) for name, each in schema.get("properties", {}).items()}
        return VALUES[schema.get("format", kind)]
