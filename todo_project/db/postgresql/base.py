"""Django's PostgreSQL backend, patient with a compute that is waking, and sparing with questions."""

import logging
import secrets
import select
import time
from collections.abc import Mapping
from typing import Any

import psycopg
from django.db.backends.postgresql import base, operations

logger = logging.getLogger(__name__)

# Waits before the second, third and fourth attempt. Short, because a request's thread sleeps through them;
# a compute that needs longer is answered with 503 and Retry-After.
PAUSES = (0.1, 0.25, 0.5)

# What the server says to a caller it knows and refuses. Waiting changes none of it.
FINAL = ("authentication failed", "does not exist", "no pg_hba.conf entry", "is not permitted")

# For so long after its last use a connection is taken for alive if nothing has arrived on it. A server that
# stops says so; what can vanish without a word, such as a NAT's memory of it, does so after minutes.
TRUSTED_FOR = 30


class DatabaseOperations(operations.DatabaseOperations):
    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> Any:
        """Django looks for the text of a query where only its usual cursors have it."""
        if isinstance(cursor, base.ServerBindingCursor):
            return self.compose_sql(sql, params)
        return super().last_executed_query(cursor, sql, params)


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations
    pooler_detected = False
    """Whether this process has learned of a pooler that nobody told it of."""
    used_at = 0.0
    health_check_done: bool

    def get_new_connection(self, conn_params: Mapping[str, Any]) -> psycopg.Connection[Any]:
        connection = self._connect_patiently(conn_params)
        # psycopg names what it prepares _pg3_0, _pg3_1, …: behind a pooler that nobody told of, a name would
        # find another process's statement. From numbers of its own on, it finds its own or none.
        connection._prepared._prepared_idx = secrets.randbits(60)
        return connection

    def _connect_patiently(self, conn_params: Mapping[str, Any]) -> psycopg.Connection[Any]:
        """Only connecting is tried again, because a statement that was sent may have taken effect."""
        started = time.monotonic()
        for pause in PAUSES:
            try:
                return super().get_new_connection(conn_params)
            except psycopg.OperationalError as error:
                out_of_time = time.monotonic() - started > sum(PAUSES)
                if out_of_time or any(words in str(error) for words in FINAL):
                    raise
            time.sleep(pause)
        return super().get_new_connection(conn_params)

    def close_if_health_check_failed(self) -> None:
        """Spares a connection in use the question that Django would ask at the start of every request."""
        if self.connection is None or self.health_check_done:
            return
        now = time.monotonic()
        if now - self.used_at < TRUSTED_FOR and self._has_no_pending_input():
            self.health_check_done = True
        self.used_at = now
        super().close_if_health_check_failed()

    def prepared_cursor(self) -> Any:
        """A cursor whose statements the server plans once; behind a pooler, each time."""
        self.close_if_health_check_failed()
        self.ensure_connection()
        pooled = self.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] or DatabaseWrapper.pooler_detected
        with self.wrap_database_errors:
            self.connection.prepare_threshold = None if pooled else 0
            cursor = base.ServerBindingCursor(self.connection)  # type: ignore[call-arg]
            return self._prepare_cursor(cursor)  # type: ignore[attr-defined]

    def stop_preparing(self) -> None:
        DatabaseWrapper.pooler_detected = True
        logger.warning(
            "prepared statements get lost: DATABASE_URL names a pooler, so set DATABASE_POOLER=true"
        )

    def _has_no_pending_input(self) -> bool:
        """Whether the server has said nothing unasked; the end of the connection would be such a word."""
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
