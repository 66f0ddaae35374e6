"""Locks by name, which exclude each other on all servers of a PostgreSQL database."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection

from .compiled import Statement, execute
from .errors import LOCK_NOT_AVAILABLE, sqlstate_of


class LockNotAvailable(OperationalError):
    """Another transaction has had the lock for too long."""


def lock_until_commit(name: str, **timeouts: float) -> None:
    """Wait for a lock, and hold it until the end of the transaction. Does nothing on SQLite."""
    if connection.vendor == "postgresql":
        sql, params = lock_statement(name, **timeouts)
        with lock_errors():
            execute(sql, params, lambda cursor: None)


def lock_statement(name: str, **settings: float | str) -> Statement:
    """With settings of PostgreSQL for the transaction. Those that are timeouts are in seconds.

    A lock of the session would not be safe behind a pooler.
    """
    # PostgreSQL evaluates the columns in their order.
    columns = [f"set_config('{setting}', %s, true)" for setting in settings]
    columns.append("pg_advisory_xact_lock(hashtextextended(%s, 0))")
    return f"SELECT {', '.join(columns)}", [
        *(each if isinstance(each, str) else f"{each * 1000:.0f}ms" for each in settings.values()),
        name,
    ]


@contextmanager
def lock_errors() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if sqlstate_of(error) == LOCK_NOT_AVAILABLE:
            raise LockNotAvailable from error
        raise
