"""Everything a person owns, as JSON, written while it is read, so that its size costs no memory.

Each function that settings.EXPORTED names gives sections; other rooms add theirs without being imported here.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from todo_project.api.renderers import dumps

from .models import Identity, PersonalToken, Session, User
from .serializers import UserSerializer

IN_MEMORY = 1_000_000
"""So many bytes of it; what is larger is on disk."""

Section = tuple[str, dict[str, Any] | Iterable[dict[str, Any]]]


def account(user: User) -> Iterator[Section]:
    """The profile, and what proves who they are; secrets are kept as hashes and not told."""
    more = {"is_active": user.is_active, "last_login": user.last_login}
    yield "profile", {**UserSerializer(user).data, **more}
    yield (
        "sessions",
        _rows(Session, user, "id", "user_agent", "address", "created_at", "last_used_at", "ended_at"),
    )
    yield (
        "tokens",
        _rows(PersonalToken, user, "id", "name", "scopes", "created_at", "expires_at", "last_used_at"),
    )
    yield "identities", _rows(Identity, user, "id", "issuer", "subject", "email", "created_at")


def _rows(model: Any, user: User, *fields: str) -> Iterable[dict[str, Any]]:
    rows: Iterable[dict[str, Any]] = (
        model.objects.for_user(user).order_by("created_at", "id").values(*fields).iterator(chunk_size=1000)
    )
    return rows


def stream(user: User) -> Iterator[bytes]:
    """One JSON object with a member per section, in pieces."""
    opening = b"{"
    for path in settings.EXPORTED:
        for name, content in import_string(path)(user):
            yield opening + dumps(name) + b":"
            yield from _object_or_list(content)
            opening = b",\n"
    yield b"}\n"


def whole(user: User) -> IO[bytes]:
    """The export, read to its end before any of it is sent, and kept on disk where it is large.

    So who takes it slowly holds no transaction open, and what fails is an error and not half a file.
    """
    with ExitStack() as until_it_is_whole, snapshot():
        file = until_it_is_whole.enter_context(SpooledTemporaryFile(max_size=IN_MEMORY))
        for piece in stream(user):  # writelines() would look only at the end whether it is large.
            file.write(piece)
        file.seek(0)
        until_it_is_whole.pop_all()
    return file


@contextmanager
def snapshot() -> Iterator[None]:
    """What is read first and what is read last belong together. SQLite would keep all writers out."""
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _object_or_list(content: dict[str, Any] | Iterable[dict[str, Any]]) -> Iterator[bytes]:
    if isinstance(content, dict):
        yield dumps(content)
        return
    opening = b"["
    for row in content:
        yield opening + dumps(row)
        opening = b",\n"
    yield b"]" if opening != b"[" else b"[]"
