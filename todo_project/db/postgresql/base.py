"""Django's PostgreSQL backend with retries while a Neon compute wakes up, and with fewer health checks."""

import logging
import select
import time
from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import partial
from types import SimpleNamespace
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg.pq import Format
from psycopg.types.datetime import TimestamptzLoader

from .connection import CANCEL_TIMEOUT, Connection, Outage, Result, Statement

logger = logging.getLogger(__name__)

# Seconds before the second, third and fourth attempt to connect. Short, because they block a thread; if the
# compute takes longer, the client gets 503 with Retry-After.
RETRY_DELAYS = (0.1, 0.25, 0.5)

# Messages of the server after which retrying is pointless.
PERMANENT_ERRORS = ("authentication failed", "does not exist", "no pg_hba.conf entry", "is not permitted")

# A connection used within the last 30 seconds needs no health check query. A server that stops closes the
# connection, which is noticed without a query, and a NAT drops idle connections only after minutes.
HEALTH_CHECK_AFTER = 30


class UTCLoader(TimestamptzLoader):
    """Loads times with psycopg's loader in C. Django's is in Python and takes ten times as long."""

    timezone = UTC  # Django's cursors compare this with the time zone of the connection.
    loader: Any = psycopg.adapters.get_loader(psycopg.adapters.types["timestamptz"].oid, Format.TEXT)

    def __new__(cls, *args: Any) -> Any:
        return cls.loader(*args)


class DatabaseWrapper(base.DatabaseWrapper):
    Database: Any = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})
    variable = "DATABASE_URL"
    statement_timeout: float | None = None
    """Seconds for each statement; only the processes that serve requests have a limit."""
    cancel_timeout: float = CANCEL_TIMEOUT
    retry_delays: Sequence[float] = RETRY_DELAYS
    outage = Outage()
    pooler_detected = False
    """Whether this process has found a pooler that DATABASE_POOLER does not declare."""
    used_at = 0.0
    health_check_done: bool

    def get_new_connection(self, conn_params: Mapping[str, Any]) -> Connection:
        if self.statement_timeout is not None:
            self.outage.raise_if_silent()
        try:
            connection = self._connect_with_retries(conn_params)
        except psycopg.errors.ConnectionTimeout:
            self.outage.begin()
            raise
        connection.timeout, connection.cancel_timeout = self.statement_timeout, self.cancel_timeout
        connection.outage = self.outage
        connection.adapters.register_loader("timestamptz", UTCLoader)
        return connection

    def _connect_with_retries(self, conn_params: Mapping[str, Any]) -> Connection:
        """Only connecting is retried, because a statement that was sent may have taken effect."""
        started = time.monotonic()
        for delay in self.retry_delays:
            try:
                return super().get_new_connection(conn_params)
            except psycopg.OperationalError as error:
                out_of_time = time.monotonic() - started > sum(self.retry_delays)
                if out_of_time or any(message in str(error) for message in PERMANENT_ERRORS):
                    raise
            time.sleep(delay)
        return super().get_new_connection(conn_params)

    def close_if_health_check_failed(self) -> None:
        """Skip the query with which Django checks the connection at the start of every request."""
        if self.connection is None or self.health_check_done:
            return
        now = time.monotonic()
        if now - self.used_at < HEALTH_CHECK_AFTER and self._has_no_pending_input():
            self.health_check_done = True
        self.used_at = now
        super().close_if_health_check_failed()

    def create_cursor(self, name: str | None = None) -> Any:
        """Closing a named cursor is a statement, whose errors Django does not convert."""
        cursor = super().create_cursor(name)
        if name:
            cursor.close = self.wrap_database_errors(cursor.close)
        return cursor

    def is_usable(self) -> bool:
        if self.connection is not None:
            self.connection.is_checked = True
        try:
            return super().is_usable()
        finally:
            if self.connection is not None:
                self.connection.is_checked = False

    def execute_constant(
        self, sql: str, params: Sequence[Any], *, prepare: bool = True, first: Statement | None = None
    ) -> Result:
        """Run SQL that is always the same, as a prepared statement, except behind a pooler.

        Without `prepare`, PostgreSQL plans it for the parameters of each call. A statement to run `first`
        is sent together with it, and they are one transaction.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        self.validate_thread_sharing()
        execute: Any = partial(self._execute_constant, prepare=prepare, first=first)
        for wrapper in reversed(self.execute_wrappers):
            execute = partial(wrapper, execute)
        result: Result = execute(sql, params, False, {"connection": self})
        return result

    def _execute_constant(
        self,
        sql: str,
        params: Sequence[Any],
        many: bool,
        context: Any,
        *,
        prepare: bool,
        first: Statement | None,
    ) -> Result:
        self.validate_no_broken_transaction()
        pooled = self.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] or self.pooler_detected
        with self.wrap_database_errors:
            return self.connection.execute_constant(sql, params, prepare=prepare and not pooled, first=first)

    def stop_preparing(self) -> None:
        type(self).pooler_detected = True
        logger.warning(
            "Prepared statements are lost: %s points to a pooler. Set DATABASE_POOLER=true.", self.variable
        )

    def _has_no_pending_input(self) -> bool:
        """Whether the server has sent nothing since the last result, such as the end of the connection."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
