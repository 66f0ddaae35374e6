"""A psycopg connection that gives up on a server that has fallen silent. psycopg itself waits forever."""

import threading
import time
from typing import Any

import psycopg
from psycopg import errors

CANCEL_TIMEOUT = 1
"""Seconds for the request to cancel a statement, and again for its result."""

HEALTH_CHECK_TIMEOUT = 1
"""Seconds after which a connection counts as lost. The server may well accept a new one."""

RETRY_INTERVAL = 2
"""Seconds until one thread tries again to reach a silent server. Meanwhile, the others fail immediately."""

_last_cancellation = threading.local()
"""Each thread's last request to cancel a statement. It stays open if the server does not answer: PgBouncer
before 1.20 crashes when an answer arrives for a request that the client has closed."""


class Connection(psycopg.Connection[Any]):
    timeout: float | None = None
    """Seconds for each statement, after which it is cancelled; None for no limit."""

    is_checked = False
    """Whether the statement is a health check."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if self.timeout is None:
            return super().wait(gen, interval, timeout)
        outage.raise_if_silent()
        try:
            result = super().wait(gen, interval, HEALTH_CHECK_TIMEOUT if self.is_checked else self.timeout)
        except errors._WaitTimeout:
            if self.is_checked:
                raise
            result = self._cancel(gen, interval)
        outage.end()
        return result

    def _cancel(self, gen: Any, interval: float) -> Any:
        """The result of a statement that took too long: usually QueryCanceled."""
        try:
            if not outage.is_tested_by_this_thread():
                self.cancel_safe(timeout=CANCEL_TIMEOUT)
            return super().wait(gen, interval, CANCEL_TIMEOUT)
        except errors.QueryCanceled:
            raise
        except psycopg.OperationalError:
            outage.begin()
            self.close()
            raise

    def _cancel_gen(self) -> Any:
        _last_cancellation.generator = super()._cancel_gen()
        return _last_cancellation.generator


class Outage:
    """A server that does not respond at all, as seen by all threads of this process."""

    silent_until = 0.0
    thread_that_tries: int | None = None

    def is_tested_by_this_thread(self) -> bool:
        return bool(self.silent_until) and self.thread_that_tries == threading.get_ident()

    def raise_if_silent(self) -> None:
        if not self.silent_until or self.is_tested_by_this_thread():
            return
        if time.monotonic() < self.silent_until:
            raise psycopg.OperationalError("The database server has not responded for some time.")
        self.thread_that_tries = threading.get_ident()
        self.silent_until = time.monotonic() + 10  # The thread has succeeded or failed by then.

    def begin(self) -> None:
        self.thread_that_tries = None
        self.silent_until = time.monotonic() + RETRY_INTERVAL

    def end(self) -> None:
        self.silent_until = 0.0


outage = Outage()
