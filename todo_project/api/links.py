"""Links of the OpenAPI description: which values of a response are parameters of other requests."""

from collections.abc import Iterator
from typing import Any

MOVES_TO = "x-moves-to"
"""On an operation until the links are made: the collection that has the object afterwards."""

CONTINUES = {"cursor": "next_cursor", "since": "since"}
"""The query parameters that take a value of the previous response."""

SUCCESS = ("200", "201")


def add_links(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's hook for the finished description."""
    paths = result["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            links = dict(_links(paths, path, method, operation))
            for status in operation["responses"].keys() & SUCCESS if links else ():
                operation["responses"][status]["links"] = links
    return result


def _links(
    paths: dict[str, Any], path: str, method: str, operation: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    if collection := operation.pop(MOVES_TO, None):
        yield from _to_object(paths, f"{path.rpartition('/')[0].rpartition('/')[0]}/{collection}", "/id")
    elif method == "post":
        yield from _to_object(paths, path, "/id")
    elif method == "get":
        if "post" not in paths[path]:
            yield from _to_object(paths, path, "/results/0/id")
        for parameter in operation.get("parameters", []):
            if parameter["name"] in CONTINUES:
                value = f"/{CONTINUES[parameter['name']]}"
                yield _link(operation, f"query.{parameter['name']}", value)


def _to_object(paths: dict[str, Any], collection: str, id_: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """To every operation on an object of the collection."""
    for path, operations in paths.items():
        if path.startswith(f"{collection}/{{id}}"):
            for operation in operations.values():
                yield _link(operation, "path.id", id_)


def _link(operation: dict[str, Any], parameter: str, value: str) -> tuple[str, dict[str, Any]]:
    name = operation["operationId"]
    return name, {"operationId": name, "parameters": {parameter: f"$response.body#{value}"}}
