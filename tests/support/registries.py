"""Plug-ins that only a test registers."""

from typing import Any

import pytest

from todo_project.config.registry import Registry


def use_entries(monkeypatch: pytest.MonkeyPatch, registry: Registry[Any], entries: dict[str, Any]) -> None:
    """Replace what is registered until the test ends."""
    monkeypatch.setattr(registry, "_entries", entries)
