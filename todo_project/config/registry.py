"""Registries, to which apps add entries from their plug-in modules (see todo_project/apps.py)."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


class Registry(Generic[T]):
    """Named entries in the order of registration: first by INSTALLED_APPS, then by line."""

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        self._entries: dict[str, T] = {}

    def register(self, name: str, entry: T) -> T:
        if name in self._entries:
            raise ImproperlyConfigured(f"Two {self.purpose} are registered as {name!r}.")
        self._entries[name] = entry
        return entry

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(self._entries.items())

    def __getitem__(self, name: str) -> T:
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        return name in self._entries
