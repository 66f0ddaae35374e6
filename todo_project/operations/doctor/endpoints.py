"""The database URLs, and connections to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import DEFAULT_DB_ALIAS, ConnectionHandler

from todo_project.config import database

VARIABLES = {"pooled": "DATABASE_URL", "direct": "DATABASE_URL_UNPOOLED"}


@dataclass(frozen=True)
class Endpoint:
    """One of the URLs, and the entry for DATABASES that it becomes."""

    variable: str
    config: database.Config

    @property
    def host(self) -> str:
        return database.host_of(self.config)

    @property
    def treated_as_pooler(self) -> bool:
        return bool(self.config.get("DISABLE_SERVER_SIDE_CURSORS"))


def endpoints() -> list[Endpoint]:
    """Both; settings.DATABASES has only the one that this process uses."""
    return [Endpoint(VARIABLES[name], config) for name, config in settings.DATABASE_ENDPOINTS.items()]


def replica_endpoint() -> Endpoint | None:
    config = settings.DATABASE_REPLICA
    return Endpoint("DATABASE_REPLICA_URL", config) if config else None


@contextmanager
def connected(endpoint: Endpoint) -> Iterator[BaseDatabaseWrapper]:
    """A connection of its own: Django's connections use only one of the URLs."""
    connection = ConnectionHandler({DEFAULT_DB_ALIAS: dict(endpoint.config)})[DEFAULT_DB_ALIAS]
    try:
        connection.ensure_connection()
        yield connection
    finally:
        connection.close()


def is_missing_file(endpoint: Endpoint) -> bool:
    """Connecting would create it, empty."""
    name = str(endpoint.config["NAME"])
    return endpoint.config["ENGINE"].endswith("sqlite3") and name != ":memory:" and not Path(name).is_file()


def query(connection: BaseDatabaseWrapper, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.fetchall()


def place_of(connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
    if connection.vendor != "postgresql":
        return (connection.settings_dict["NAME"],)
    [place] = query(
        connection,
        "SELECT oid, datname, pg_postmaster_start_time() FROM pg_database WHERE datname = current_database()",
    )
    return place
