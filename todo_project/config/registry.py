"""Registries, to which apps add entries from their plug-in modules (see todo_project/apps.py)."""

from collections.abc import Callable
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


class Registry(dict[str, T]):
    """Named entries in the order of registration: first by INSTALLED_APPS, then by line."""

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.purpose = purpose

    def __setitem__(self, name: str, entry: T) -> None:
        if name in self:
            raise ImproperlyConfigured(f"Two {self.purpose} are registered as {name!r}.")
        super().__setitem__(name, entry)

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that adds the function or class."""

        def add(entry: T) -> T:
            self[name] = entry
            return entry

        return add
