"""Every route of the project and its methods."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern


def patterns(entries: list[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for entry in entries:
        if isinstance(entry, URLPattern):
            yield prefix + str(entry.pattern), entry.callback
        else:
            yield from patterns(entry.url_patterns, prefix + str(entry.pattern))


def methods_of(view: Any) -> list[str]:
    if hasattr(view, "actions"):
        return [method.upper() for method in view.actions if method != "head"]
    return [name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view.cls, name)]
