"""Locks by name, which exclude each other on all servers of a PostgreSQL database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection

from .compiled import CompiledQuery, Rows, Statement, UncompiledQuery, execute
from .errors import LOCK_NOT_AVAILABLE, sqlstate_of


class LockNotAvailable(OperationalError):
    """Another transaction has had the lock for too long."""


def lock_until_commit(name: str, **timeouts: float) -> None:
    """Wait for a lock, and hold it until the end of the transaction. Does nothing on SQLite."""
    if connection.vendor == "postgresql":
        sql, params = _lock_statement(name, **timeouts)
        with lock_errors():
            execute(sql, params, lambda cursor: None)


def rows_after_lock(
    name: str, query: CompiledQuery | UncompiledQuery, values: Mapping[str, Any], **settings: float | str
) -> Rows:
    """Wait for a lock as lock_until_commit() does, and then run a query, in one round trip."""
    if connection.vendor != "postgresql":
        return query(**values)
    sql, params, convert = query.prepare(dict(values))
    with lock_errors():
        rows: Rows = execute(
            sql,
            params,
            lambda cursor: cursor.fetchall(),
            prepare=query.is_constant,
            first=_lock_statement(name, **settings),
        )
    return [tuple(row) for row in convert(rows)] if convert else rows


def _lock_statement(name: str, **settings: float | str) -> Statement:
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
