"""A psycopg connection that gives up on a server that has fallen silent. psycopg itself waits forever."""

import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from typing import Any

import psycopg
from psycopg import errors, generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus

CANCEL_TIMEOUT = 1
"""Seconds for the request to cancel a statement, and again for its result."""

HEALTH_CHECK_TIMEOUT = 1
"""Seconds after which a connection counts as lost. The server may well accept a new one."""

SUCCESSFUL = {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK, ExecStatus.PIPELINE_SYNC}

Statement = tuple[str, Sequence[Any]]
"""SQL and its parameters."""

MAX_STATEMENTS = 200
"""Prepared by each connection. Each takes memory of the server."""

_last_cancellation = threading.local()
"""Each thread's last request to cancel a statement. It stays open if the server does not answer: PgBouncer
before 1.20 crashes when an answer arrives for a request that the client has closed."""


@dataclass
class Result:
    """What execute_constant() returns: the part of a cursor that it needs."""

    rows: list[tuple[Any, ...]]
    rowcount: int

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows


class Outage:
    """A server that does not respond at all, as seen by all threads of this process."""

    silent_until = 0.0
    thread_that_tries: int | None = None

    def __init__(self, retry_interval: float = 2) -> None:
        self.retry_interval = retry_interval
        """Seconds until one thread tries again. Meanwhile, the others fail immediately."""

    def is_tested_by_this_thread(self) -> bool:
        return bool(self.silent_until) and self.thread_that_tries == threading.get_ident()

    def is_silent(self) -> bool:
        """False also for the one thread that tries again."""
        if not self.silent_until or self.is_tested_by_this_thread():
            return False
        if time.monotonic() < self.silent_until:
            return True
        self.thread_that_tries = threading.get_ident()
        self.silent_until = time.monotonic() + 10  # The thread has succeeded or failed by then.
        return False

    def raise_if_silent(self) -> None:
        if self.is_silent():
            raise psycopg.OperationalError("The database server has not responded for some time.")

    def begin(self, seconds: float | None = None) -> None:
        self.thread_that_tries = None
        self.silent_until = time.monotonic() + (self.retry_interval if seconds is None else seconds)

    def end(self) -> None:
        self.silent_until = 0.0


class Connection(psycopg.Connection[Any]):
    timeout: float | None = None
    """Seconds for each statement, after which it is cancelled; None for no limit."""

    cancel_timeout: float = CANCEL_TIMEOUT
    outage = Outage()

    is_checked = False
    """Whether the statement is a health check."""

    quickest_response = 0.0
    """Seconds, of all connections of this process; 0 before the first. It does not depend on the load."""

    statements: dict[tuple[str, Any], bytes]
    """The names of prepared statements. They are random: behind an undeclared pooler, a name that another
    process uses would run the statement of that one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.statements = {}

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if self.timeout is None:
            return super().wait(gen, interval, timeout)
        self.outage.raise_if_silent()
        try:
            result = super().wait(gen, interval, HEALTH_CHECK_TIMEOUT if self.is_checked else self.timeout)
        except errors._WaitTimeout:
            if self.is_checked:
                raise
            result = self._cancel(gen, interval)
        self.outage.end()
        return result

    def execute_constant(
        self, sql: str, params: Sequence[Any], *, prepare: bool, first: Statement | None = None
    ) -> Result:
        """Run SQL that is always the same. A cursor would take three times the processor time.

        A statement to run `first` is sent together with it, and they are one transaction.
        """
        with self.lock:
            started = time.monotonic()
            result: Result = self.wait(self._execute_constant(sql, params, prepare=prepare, first=first))
            seconds = time.monotonic() - started
            if not 0 < self.quickest_response <= seconds:
                Connection.quickest_response = seconds
            return result

    def _execute_constant(
        self, sql: str, params: Sequence[Any], *, prepare: bool, first: Statement | None
    ) -> Any:
        transformer = Transformer(self)
        yield from self._start_query()
        send = yield from self._bind(transformer, sql, params, prepare=prepare)
        if first is None:
            send()
            result = yield from self._receive()
        else:
            send_first = yield from self._bind(transformer, *first, prepare=prepare)
            result = yield from self._receive_last(send_first, send)
        transformer.set_pgresult(result)
        rows = transformer.load_rows(0, result.ntuples, tuple)
        return Result(rows, result.command_tuples or 0)

    def _bind(self, transformer: Any, sql: str, params: Sequence[Any], *, prepare: bool) -> Any:
        """The function that sends the statement, which is prepared now if necessary."""
        values = transformer.dump_sequence(params, [PyFormat.AUTO] * len(params))
        types, formats = transformer.types, transformer.formats
        if not prepare:
            return partial(self.pgconn.send_query_params, numbered(sql), values, types, formats)
        name = self.statements.pop((sql, types), None) or (yield from self._prepare(sql, types))
        self.statements[sql, types] = name  # The latest one is the last.
        return partial(self.pgconn.send_query_prepared, name, values, formats)

    def _prepare(self, sql: str, types: Any) -> Any:
        if len(self.statements) >= MAX_STATEMENTS:
            oldest = self.statements.pop(next(iter(self.statements)))
            self.pgconn.send_query_params(b"DEALLOCATE " + oldest, None)
            yield from self._receive()
        name = f"todo_{secrets.token_hex(8)}".encode()
        self.pgconn.send_prepare(name, numbered(sql), types)
        yield from self._receive()
        return name

    def _receive(self) -> Any:
        results = yield from generators.execute(self.pgconn)
        _raise_errors(results)
        if len(results) > 1:  # From a pooler whose connection to the server has ended.
            raise psycopg.InternalError(f"The server sent {len(results)} results.")
        return results[0]

    def _receive_last(self, *sends: Callable[[], None]) -> Any:
        """The result of the last of these statements, which are sent together."""
        self.pgconn.enter_pipeline_mode()
        for send in sends:
            send()
        self.pgconn.pipeline_sync()
        results = yield from generators.execute(self.pgconn)
        for _ in sends:
            results += yield from generators.fetch_many(self.pgconn)
        self.pgconn.exit_pipeline_mode()
        _raise_errors(results)
        *_, last, _sync = results
        return last

    def _cancel(self, gen: Any, interval: float) -> Any:
        """The result of a statement that took too long: usually QueryCanceled."""
        try:
            if not self.outage.is_tested_by_this_thread():
                self.cancel_safe(timeout=self.cancel_timeout)
            return super().wait(gen, interval, self.cancel_timeout)
        except errors.QueryCanceled:
            self.outage.end()
            raise
        except psycopg.OperationalError:
            self.outage.begin()
            self.close()
            raise

    def _cancel_gen(self) -> Any:
        _last_cancellation.generator = super()._cancel_gen()
        return _last_cancellation.generator


def _raise_errors(results: Sequence[Any]) -> None:
    for result in results:
        if result.status not in SUCCESSFUL:
            raise errors.error_from_result(result)


@lru_cache(maxsize=1000)
def numbered(sql: str) -> bytes:
    """The SQL with $1, $2 … as the placeholders, as PostgreSQL reads it."""
    number = count(1)
    return re.sub("%[s%]", lambda found: f"${next(number)}" if found[0] == "%s" else "%", sql).encode()
