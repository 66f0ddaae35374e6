"""gunicorn's threaded worker, made safe against slow clients, and with errors in the API's format."""

import logging
import mmap
import selectors
import socket
import time
import uuid
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from django.conf import settings
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from todo_project.api.addresses import is_trusted_proxy
from todo_project.api.encoder import dumps
from todo_project.api.errors import (
    ApiError,
    ExpectationFailed,
    HeadersTooLarge,
    InternalError,
    MalformedRequest,
    UriTooLong,
)
from todo_project.db.postgresql.base import DatabaseWrapper

from .receiving import PEEK_SIZE, is_complete

logger = logging.getLogger(__name__)

ERRORS: dict[type[Exception], type[ApiError]] = {
    errors.LimitRequestLine: UriTooLong,
    errors.LimitRequestHeaders: HeadersTooLarge,
    errors.ExpectationFailed: ExpectationFailed,
}
SERVER_ERRORS = (errors.ConfigurationProblem, errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)

RECEIVE_TIMEOUT = 10
"""Seconds for a whole request to arrive, head and body."""

SEND_TIMEOUT = 10
"""Seconds for each write. A phone that loses its network would otherwise occupy a thread forever."""

STATEMENT_TIMEOUT = 6
"""Seconds for each SQL statement, so that a request to a silent database gets 503 within ten."""

# The number of connections of each process, plus one, in memory that all processes share; 0 is a free place.
_connections = memoryview(mmap.mmap(-1, 512)).cast("i")


class Worker(ThreadWorker):
    """Only complete requests occupy threads; the main thread waits for the rest in its poller."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.deadlines: dict[Any, float] = {}
        """When the requests that threads are reading must have arrived, by connection."""
        self.place = _connections.tolist().index(0)
        super().__init__(*args, **kwargs)

    def init_process(self) -> None:
        DatabaseWrapper.statement_timeout = STATEMENT_TIMEOUT
        super().init_process()

    @property
    def nr_conns(self) -> int:
        return _connections[self.place] - 1

    @nr_conns.setter
    def nr_conns(self, number: int) -> None:
        _connections[self.place] = number + 1

    def forget_connections(self) -> None:
        """For the master, when this process has ended."""
        self.nr_conns = -1

    def accept(self, listener: Any) -> None:
        # Every process wakes up for a new connection. Let one with fewer go first.
        surplus = self.nr_conns + 1 - min(filter(None, _connections))
        time.sleep(min(surplus, 5) / 1000)
        super().accept(listener)
        if self.nr_conns >= self.worker_connections:
            self.close_oldest_connection()

    def close_oldest_connection(self) -> None:
        """Make room for the next connection, because silent clients must not keep others out."""
        for waiting, close_expired in (
            (self.pending_conns, self.murder_pending),
            (self.keepalived_conns, self.murder_keepalived),
        ):
            if waiting:
                waiting[0].timeout = 0
                close_expired()
                return

    def enqueue_req(self, conn: Any) -> None:
        """Called for every new, reused or pipelined connection."""
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + RECEIVE_TIMEOUT
        if self.has_complete_request(conn):
            super().enqueue_req(conn)
            return
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        if self.has_complete_request(conn):
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            super().enqueue_req(conn)

    def has_complete_request(self, conn: Any) -> bool:
        read_ahead = conn.parser.unreader.buf.getvalue() if conn.parser else b""
        try:
            return is_complete(conn.sock, read_ahead, max_body=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        except OSError:
            return True  # The thread meets the same error and closes the connection.

    def handle(self, conn: Any) -> Any:
        self.deadlines[conn] = conn.timeout
        try:
            return super().handle(conn)
        finally:
            del self.deadlines[conn]

    def handle_request(self, req: Any, conn: Any) -> Any:
        req._expected_100_continue = False  # Answered before the request came to a thread.
        # A client of a Unix socket has no address.
        if not is_trusted_proxy(conn.client[0] if isinstance(conn.client, tuple) else ""):
            req.headers = [header for header in req.headers if not header[0].startswith("X-FORWARDED-")]
        conn.sock.settimeout(SEND_TIMEOUT)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Called every second: end requests that have not arrived in time, in the poller or in threads."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self.deadlines.items()):
            if deadline < now:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)

    def finish_request(self, conn: Any, future: Any) -> None:
        """gunicorn waits up to two seconds, in the main thread, for the client to close a connection."""
        if future.exception() or future.result():
            super().finish_request(conn, future)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.nr_conns -= 1
            conn.close()
            return
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.keepalived_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.discard, conn))

    def discard(self, conn: Any, client: Any) -> None:
        """Read on until the client closes: otherwise the kernel would discard the response, too."""
        with suppress(OSError):
            if client.recv(PEEK_SIZE):
                return
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self.nr_conns -= 1
        conn.close()

    def is_parent_alive(self) -> bool:
        if not super().is_parent_alive():
            self.alive = False
        return self.alive

    def set_accept_enabled(self, enabled: bool) -> None:
        """A process that ends releases the port immediately, not only after its last request."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """gunicorn's own response is HTML and contains parts of the request."""
        request_id = uuid.uuid4().hex
        if isinstance(exc, errors.ParseException) and not isinstance(exc, SERVER_ERRORS):
            error = ERRORS.get(type(exc), MalformedRequest)()
            logger.warning("unreadable request: %s", type(exc).__name__, extra={"request_id": request_id})
        else:
            error = InternalError()
            logger.error("unhandled error", exc_info=exc, extra={"request_id": request_id})
        content = {"code": error.code, "message": error.message, "request_id": request_id, "details": {}}
        body = dumps({"error": content})
        status = 501 if isinstance(exc, errors.UnsupportedTransferCoding) else error.status_code
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            "Connection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nX-Request-ID: {request_id}\r\n\r\n"
        )
        client.settimeout(SEND_TIMEOUT)
        try:
            client.sendall(head.encode("ascii") + body)
        except OSError:
            logger.debug("The client disconnected before the response.")
