"""A user's data as one JSON object, written while it is read, so that its size costs no memory.

Each app registers functions in its module `export`; each yields sections: a name, and an object or its rows.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.db import connection, transaction

from todo_project.api.renderers import dumps
from todo_project.config.registry import Registry

MAX_MEMORY = 1_000_000
"""Bytes of a spooled export that are held in memory; a larger one goes to disk."""

Section = tuple[str, Any]
Exporter = Callable[[Any], Iterator[Section]]

exporters: Registry[Exporter] = Registry("exporters")


def stream(user: Any) -> Iterator[bytes]:
    """One JSON object with a member per section, in pieces."""
    opening = b"{"
    for exporter in exporters.values():
        for name, content in exporter(user):
            yield opening + dumps(name) + b":"
            yield from _object_or_list(content)
            opening = b",\n"
    yield b"}\n"


def spooled(user: Any) -> IO[bytes]:
    """The complete export in a file.

    A slow download then holds no transaction open, and a failure is an error response, not half a file.
    """
    with ExitStack() as on_failure, snapshot():
        file = on_failure.enter_context(SpooledTemporaryFile(max_size=MAX_MEMORY))
        for piece in stream(user):  # writelines() checks the size only once, at its end.
            file.write(piece)
        file.seek(0)
        on_failure.pop_all()
    return file


@contextmanager
def snapshot() -> Iterator[None]:
    """Read every section at the same point in time. Not on SQLite, where this would block all writers."""
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _object_or_list(content: dict[str, Any] | Iterable[Any]) -> Iterator[bytes]:
    if isinstance(content, dict):
        yield dumps(content)
        return
    opening = b"["
    for row in content:
        yield opening + dumps(row)
        opening = b",\n"
    yield b"]" if opening != b"[" else b"[]"
