"""Locks by name, which exclude each other on all servers of a PostgreSQL database."""

from django.db import OperationalError, connection

from .compiled import execute
from .errors import LOCK_NOT_AVAILABLE, sqlstate_of


class LockNotAvailable(OperationalError):
    """Another transaction has had the lock for too long."""


def lock_until_commit(name: str, **timeouts: float) -> None:
    """Wait for a lock, and hold it until the end of the transaction. Does nothing on SQLite.

    The timeouts are settings of PostgreSQL in seconds, for the transaction. A lock of the session would not
    be safe behind a pooler.
    """
    if connection.vendor != "postgresql":
        return
    # PostgreSQL evaluates the columns in their order.
    columns = [f"set_config('{setting}', %s, true)" for setting in timeouts]
    columns.append("pg_advisory_xact_lock(hashtextextended(%s, 0))")
    params = [*(f"{seconds * 1000:.0f}ms" for seconds in timeouts.values()), name]
    try:
        execute(f"SELECT {', '.join(columns)}", params, lambda cursor: None)
    except OperationalError as error:
        if sqlstate_of(error) == LOCK_NOT_AVAILABLE:
            raise LockNotAvailable from error
        raise
