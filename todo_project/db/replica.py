"""Reads that a replica answers if it is current, and the primary otherwise.

A replica lags behind, and may fail. So each of its statements also reads, in the same snapshot, a row that
only a current replica has; without that row, and after any error, the primary answers.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import Any

from django.db import DatabaseError, InterfaceError, connections

from .compiled import CompiledQuery, Rows, Statement, UncompiledQuery
from .errors import QUERY_CANCELED, sqlstate_of, statement_is_missing

logger = logging.getLogger(__name__)

REPLICA = "replica"
"""The alias in DATABASES, if DATABASE_REPLICA_URL is set."""

MAX_MISSES = 20
"""Reads in a row that the replica did not serve; then this process leaves it alone for a while."""

PAUSE = 0.2
"""Seconds. One that does not respond in time is left alone for longer."""


class Outcome(StrEnum):
    SERVED = "served"
    BEHIND = "behind"
    FAILED = "failed"


observers: list[Callable[[Outcome], None]] = []
"""Called with the outcome of each read."""


class Replica:
    """The replica as this process has found it. One thread at a time tries one that is left alone."""

    misses = 0
    """Reads in a row that the primary has served instead."""
    reason = Outcome.FAILED
    """Why the last of them missed, and so why the replica is left alone."""
    is_reported = False
    """Whether the log says so, until it serves a read again."""

    def read(
        self,
        query: CompiledQuery | UncompiledQuery,
        values: Mapping[str, Any],
        *,
        current: Statement,
        may_be_slow: bool,
    ) -> Rows | None:
        """The rows of a query; None if the primary has to answer.

        `current` returns one row if the replica is current, and none otherwise. If a query that may be slow
        takes too long, the replica is not left alone because of it.
        """
        database: Any = connections[REPLICA]
        rows, outcome = None, self.reason
        if not database.outage.is_silent():
            try:
                rows = _read(database, query, values, current)
                outcome = Outcome.BEHIND if rows is None else Outcome.SERVED
            except (DatabaseError, InterfaceError) as error:
                outcome = Outcome.FAILED
                self._fail(database, error, may_be_slow=may_be_slow)
            else:
                if rows is None:
                    self._miss(database, outcome, "It lags behind")
                else:
                    self.misses, self.is_reported = 0, False
        for observe in observers:
            observe(outcome)
        return rows

    def _fail(self, database: Any, error: DatabaseError | InterfaceError, *, may_be_slow: bool) -> None:
        if statement_is_missing(error):
            database.stop_preparing()
        database.close()
        if sqlstate_of(error) == QUERY_CANCELED and not may_be_slow:
            database.outage.begin()
        self._miss(database, Outcome.FAILED, type(error).__name__)

    def _miss(self, database: Any, outcome: Outcome, cause: str) -> None:
        self.misses += 1
        self.reason = outcome
        if self.misses >= MAX_MISSES and not database.outage.is_silent():
            database.outage.begin(PAUSE)
        if database.outage.silent_until and not self.is_reported:
            self.is_reported = True
            logger.warning("The primary serves the reads of the replica for now: %s", cause)


replica = Replica()


@contextmanager
def wrap_statements(wrapper: Callable[..., Any]) -> Iterator[None]:
    """Django's execute_wrapper() for the statements on each database."""
    with ExitStack() as wrappers:
        for each in connections.all():
            wrappers.enter_context(each.execute_wrapper(wrapper))
        yield


def _read(
    database: Any, query: CompiledQuery | UncompiledQuery, values: Mapping[str, Any], current: Statement
) -> Rows | None:
    sql, params, convert = query.prepare(dict(values))
    condition, condition_params = current
    # PostgreSQL begins with the condition, and runs the query only if it returns a row. If then the query has
    # none, there is one row without values, which no query returns.
    rows = query.execute(
        database,
        f"SELECT answer.* FROM ({condition}) AS condition LEFT JOIN ({sql}) AS answer ON true",  # noqa: S608
        [*condition_params, *params],
    )
    if not rows:
        return None
    if len(rows) == 1 and all(value is None for value in rows[0]):
        return []
    return [tuple(row) for row in convert(rows)] if convert else rows
