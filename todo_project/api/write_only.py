"""Responses to callers who may change objects and not read them."""

from typing import Any

import orjson

from .encoder import dumps

VISIBLE = ("kind", "id", "version")


def without_content(data: Any) -> Any:
    """Reduce each object with an ID, wherever it is in a response, to what a later change of it needs."""
    return _without_content(orjson.loads(data if isinstance(data, bytes) else dumps(data)))


def _without_content(data: Any) -> Any:
    if isinstance(data, list):
        return [_without_content(item) for item in data]
    if isinstance(data, dict):
        if "id" in data:
            return {name: data[name] for name in VISIBLE if name in data}
        return {name: _without_content(value) for name, value in data.items()}
    return data
