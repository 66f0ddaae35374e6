"""Locks that connections to PostgreSQL wait for."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from django.db import connection, transaction

from todo_project.db.distribution import is_distributed

from .processes import becomes_true
from .threads import run_together

T = TypeVar("T")

WAITING = """
    SELECT EXISTS (
        SELECT FROM pg_locks AS waiting
        JOIN pg_locks AS held USING (pid)
        JOIN pg_database ON pg_database.oid = held.database
        WHERE NOT waiting.granted AND datname = current_database()
    )
"""

WAITING_ON_CITUS = """
    SELECT EXISTS (
        SELECT FROM citus_lock_waits
        JOIN pg_locks AS held ON held.pid = citus_pid_for_gpid(waiting_gpid)
        JOIN pg_database ON pg_database.oid = held.database
        WHERE datname = current_database()
    )
"""
"""The lock may be on any node."""


def lock_is_awaited() -> bool:
    """Whether a connection to this test's database waits for a lock."""
    # Not pg_stat_activity, which is cached within a transaction.
    with connection.cursor() as cursor:
        cursor.execute(WAITING_ON_CITUS if is_distributed() else WAITING)
        return bool(cursor.fetchone()[0])


@contextmanager
def transaction_blocking(
    function: Callable[[], T], *, before_commit: Callable[[], object] = lambda: None
) -> Iterator[list[T]]:
    """A transaction that takes a lock, for which the function waits in another connection.

    `before_commit` runs in the transaction while the function waits. The list has the function's result at
    the end.
    """
    results: list[T] = []
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            yield results
            waiting = pool.submit(run_together, 1, function)
            assert becomes_true(lambda: waiting.done() or lock_is_awaited())
            assert not waiting.done(), f"This did not wait for the lock: {waiting.result()}"
            before_commit()
        results += waiting.result()
