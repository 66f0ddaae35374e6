"""Plug-ins that only a test registers."""

from typing import Any

import pytest

from todo_project.config.registry import Registry


def use_entries(monkeypatch: pytest.MonkeyPatch, registry: Registry[Any], entries: dict[str, Any]) -> None:
    """Replace what is registered until the test ends."""
    for name in reversed(list(registry)):
        monkeypatch.delitem(registry, name)
    for name, entry in entries.items():
        monkeypatch.setitem(registry, name, entry)
