"""What the apps plug into the frame, registered by each app in a module of its own."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


class Registry(Generic[T]):
    """Entries by name, in the order of registration: that of INSTALLED_APPS, and within an app of its lines."""

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
