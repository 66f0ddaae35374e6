"""gunicorn's threaded worker, made safe against slow clients, and with errors in the API's format."""

import logging
import mmap
import select
import socket
import struct
import time
import uuid
from collections.abc import Callable, Hashable
from contextlib import suppress
from enum import IntEnum
from http import HTTPStatus
from queue import SimpleQueue
from threading import Lock, Thread, get_ident
from typing import Any

from django.conf import settings
from gunicorn.http import errors
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from todo_project.api.addresses import is_trusted_proxy
from todo_project.api.concurrency import find_sender, has_used_share
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
from todo_project.db.postgresql.connection import Connection

from .fair_queue import FairQueue
from .receiving import PEEK_SIZE, authorization, peek

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

LONG_REQUEST = 0.002
"""Seconds that requests wait for the serving thread before another one serves them."""

LONG_REQUEST_DISTANT = 0.0002
"""As long, where threads mostly wait for responses of the database."""

DISTANT = 0.001
"""Seconds until the response of a distant database, at the least."""

PAUSE = 0.02
"""Seconds until a connection is served again that was refused, or whose user has another request running.

A client that ignores Retry-After would occupy the process with refusing its requests.
"""

MAX_WAIT = 1.0
"""Seconds that a request is not served because its user has another one running."""

# Reported to one thread, and not again until the connection waits again.
READABLE = select.EPOLLIN | select.EPOLLONESHOT
WRITABLE = select.EPOLLOUT | select.EPOLLONESHOT
"""Reported immediately. The next request is not in the kernel: it was read with the previous one."""

# The number of connections of each process, plus one, in memory that all processes share; 0 is a free place.
_connections = memoryview(mmap.mmap(-1, 512)).cast("i")


class State(IntEnum):
    """Of a connection, in the order in which they are closed to make room."""

    RECEIVING = 1
    CLOSING = 2
    IDLE = 3


class ResponseSocket:
    """Sends the head of a response together with the first part of its body."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.head: bytes | None = None
        self.send: Callable[[bytes], None] = self.keep
        self.has_refused = False

    def sendall(self, data: bytes) -> None:
        self.send(data)

    def keep(self, head: bytes) -> None:
        self.head, self.send = head, self.send_with_head
        self.has_refused = head.startswith(b"HTTP/1.1 429")

    def send_with_head(self, data: bytes) -> None:
        head, self.head, self.send = self.head or b"", None, self.sock.sendall
        self.send(head + data)

    def flush(self) -> None:
        if self.head:
            self.send_with_head(b"")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


class Worker(ThreadWorker):
    """One thread serves the connections with a complete request, until a request takes long.

    Then another thread takes over, and the first one waits for its next turn. Threads that served at the
    same time would take the processor, the interpreter's lock and warm caches from each other. Senders are
    served in turn, whatever the number of their connections.

    gunicorn's main thread would hand each request to a thread, and each connection back. Here it only
    accepts connections and closes those that are late.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.waiting: dict[int, Any] = {}
        """The connections that no thread has, by file descriptor. Whoever removes one may use it."""
        self.deadlines: dict[Any, float] = {}
        """When the requests that threads are reading must have arrived, by connection."""
        self.lock = Lock()
        self.next_thread = Lock()
        """Held by the thread that serves as soon as the serving one is too slow."""
        self.queue_lock = Lock()
        """Held by the thread that looks for a request, even if another one replaces it at that moment."""
        self.paused: SimpleQueue[tuple[float, Any]] = SimpleQueue()
        """Connections that are not served for a moment, and until when."""
        self.in_turn: set[Hashable] = set()
        """Senders who have used their share of the threads and have a request running."""
        self.serving_thread = 0
        self.requests_begun = 0
        self.place = _connections.tolist().index(0)
        super().__init__(*args, **kwargs)

    def init_process(self) -> None:
        DatabaseWrapper.statement_timeout = STATEMENT_TIMEOUT
        # Not in __init__(), which runs in the master.
        self.clients, self.queue = select.epoll(), FairQueue()
        super().init_process()

    def run(self) -> None:
        for _ in range(self.cfg.threads):
            Thread(target=self.serve_clients, daemon=True).start()
        Thread(target=self.resume_paused, daemon=True).start()
        super().run()

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
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        with self.lock:
            self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self.close_oldest_connection()
        # Not settimeout(), which costs a call of poll() for each read and write.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_TIMEOUT, 0))
        conn = TConn(self.cfg, sock, address, listener.getsockname())
        conn.has_refused, conn.sender = False, None
        conn.data_ready = True  # Otherwise the thread would wait for data.
        conn.state, conn.timeout = State.RECEIVING, time.monotonic() + RECEIVE_TIMEOUT
        self.waiting[sock.fileno()] = conn
        self.clients.register(sock, READABLE)

    def close_oldest_connection(self) -> None:
        """Make room for the next connection, because silent clients must not keep others out."""
        waiting = sorted(self.waiting.copy().values(), key=lambda conn: (conn.state, conn.timeout))
        any(self.close_waiting(conn, unless_complete=True) for conn in waiting)

    def serve_clients(self) -> None:
        """The work of a thread."""
        while True:
            with self.next_thread:
                if self.serving_thread:
                    self.wait_for_turn()
                self.serving_thread = this_thread = get_ident()
            while self.serving_thread == this_thread:
                conn = self.next_request()
                self.requests_begun += 1
                self.attempt(self.serve, conn)

    def wait_for_turn(self) -> None:
        """Return when a request waits and the serving thread has begun none for a while."""
        requests = select.poll()
        requests.register(self.clients, select.POLLIN)
        requests.register(self.queue, select.POLLIN)
        while True:
            requests.poll()
            begun = self.requests_begun
            is_distant = Connection.quickest_response > DISTANT
            time.sleep(LONG_REQUEST_DISTANT if is_distant else LONG_REQUEST)
            if self.requests_begun == begun and requests.poll(0):
                return

    def next_request(self) -> Any:
        """Wait for a request that may be served now, and return its connection."""
        with self.queue_lock:
            while True:
                for descriptor, _ in self.clients.poll(0 if self.queue else None):
                    if conn := self.waiting.pop(descriptor, None):
                        self.attempt(self.receive, conn)
                if self.queue:
                    conn = self.queue.take()
                    if self.has_turn(conn):
                        return conn
                    self.pause(conn)

    def has_turn(self, conn: Any) -> bool:
        """Whether the sender has a share of the threads left, no other request running, or waits for long."""
        if not has_used_share(conn.sender):
            return True
        received_at = conn.timeout - RECEIVE_TIMEOUT
        if conn.sender in self.in_turn and time.monotonic() < received_at + MAX_WAIT:
            return False
        self.in_turn.add(conn.sender)
        return True

    def attempt(self, step: Callable[[Any], None], conn: Any) -> None:
        try:
            step(conn)
        except BaseException:  # A thread must not end.
            logger.exception("unhandled error")
            self.close(conn)

    def receive(self, conn: Any) -> None:
        """Put the connection into the queue as soon as its request is complete."""
        if conn.state == State.CLOSING:
            self.discard(conn)
            return
        if conn.state == State.IDLE:
            conn.state, conn.timeout = State.RECEIVING, time.monotonic() + RECEIVE_TIMEOUT
        request = self.peek(conn, is_reported=True)
        if request is None:
            self.wait_for(conn)
            return
        credential = authorization(request)
        conn.sender = find_sender(credential) if credential else self.address(conn)
        self.queue.put(conn)

    def serve(self, conn: Any) -> None:
        try:
            is_kept = self.handle(conn)
        finally:
            self.in_turn.discard(conn.sender)
        if not is_kept:
            self.start_closing(conn)
            return
        conn.set_timeout()
        conn.state = State.IDLE
        if conn.has_refused:
            self.pause(conn)
        else:
            self.wait_for(conn)

    def pause(self, conn: Any) -> None:
        self.paused.put((time.monotonic() + PAUSE, conn))

    def resume_paused(self) -> None:
        """The work of another thread."""
        while True:
            resume_at, conn = self.paused.get()
            time.sleep(max(0, resume_at - time.monotonic()))
            self.wait_for(conn)

    def wait_for(self, conn: Any) -> None:
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + STOP_KEEPALIVE_LINGER)
        descriptor, event = conn.sock.fileno(), READABLE
        if conn.state != State.CLOSING and conn.parser and conn.parser.unreader.buf.getvalue():
            if conn.state == State.IDLE:
                conn.state, conn.timeout = State.RECEIVING, time.monotonic() + RECEIVE_TIMEOUT
            if self.peek(conn) is not None:
                event = WRITABLE
        self.waiting[descriptor] = conn
        with suppress(OSError):  # The main thread has closed it in between.
            self.clients.modify(descriptor, event)

    def peek(self, conn: Any, *, is_reported: bool = False) -> bytes | None:
        """The connection's request, if it is complete."""
        read_ahead = conn.parser.unreader.buf.getvalue() if conn.parser else b""
        try:
            max_body = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            return peek(conn.sock, read_ahead, max_body=max_body, is_reported=is_reported)
        except OSError:
            return b""  # handle() meets the same error and closes the connection.

    def handle(self, conn: Any) -> Any:
        self.deadlines[conn] = conn.timeout
        try:
            return super().handle(conn)
        finally:
            del self.deadlines[conn]

    def address(self, conn: Any) -> str:
        """Empty for a client of a Unix socket."""
        return conn.client[0] if isinstance(conn.client, tuple) else ""

    def handle_request(self, req: Any, conn: Any) -> Any:
        req._expected_100_continue = False  # Answered before the request came to a thread.
        if not is_trusted_proxy(self.address(conn)):
            req.headers = [header for header in req.headers if not header[0].startswith("X-FORWARDED-")]
        conn.sock = responses = ResponseSocket(conn.sock)
        try:
            return super().handle_request(req, conn)
        finally:
            conn.sock, conn.has_refused = responses.sock, responses.has_refused
            responses.flush()

    def murder_pending(self) -> None:
        """Called every second: end what has not arrived in time."""
        if self.nr_conns >= self.worker_connections:  # Because all had a request at the last attempt.
            self.close_oldest_connection()
        now = time.monotonic()
        for conn in self.waiting.copy().values():
            if conn.timeout < now:
                self.close_waiting(conn, unless_complete=True)
        for conn, deadline in list(self.deadlines.items()):
            if deadline < now:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)

    def murder_keepalived(self, force: bool = False) -> None:
        if force:
            for conn in self.waiting.copy().values():
                self.close_waiting(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        for conn in self.waiting.copy().values():
            conn.timeout = min(conn.timeout, deadline)

    def start_closing(self, conn: Any) -> None:
        """gunicorn waits up to two seconds for the client to close a connection."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close(conn)
            return
        conn.set_timeout()
        conn.state = State.CLOSING
        self.wait_for(conn)

    def discard(self, conn: Any) -> None:
        """Read on until the client closes: otherwise the kernel would discard the response, too."""
        with suppress(OSError):
            if conn.sock.recv(PEEK_SIZE, socket.MSG_DONTWAIT):
                self.wait_for(conn)
                return
        self.close(conn)

    def close_waiting(self, conn: Any, *, unless_complete: bool = False) -> bool:
        """Unless a thread has taken it meanwhile."""
        if self.waiting.pop(conn.sock.fileno(), None) is None:
            return False
        if unless_complete and conn.state != State.CLOSING and self.peek(conn) is not None:
            self.wait_for(conn)  # All threads are busy.
            return False
        self.close(conn)
        return True

    def close(self, conn: Any) -> None:
        conn.close()
        with self.lock:
            self.nr_conns -= 1
        if not self.alive:
            self.method_queue.defer(lambda: None)  # The main thread waits for the last connection.

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
