"""gunicorn's threaded worker with socket timeouts, and with errors in the API's format."""

import logging
import socket
import struct
import uuid
from typing import Any

from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from todo_project.api.encoder import dumps

logger = logging.getLogger(__name__)

STATUS: dict[type[Exception], tuple[int, str]] = {
    errors.LimitRequestLine: (414, "URI Too Long"),
    errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    errors.ExpectationFailed: (417, "Expectation Failed"),
    errors.UnsupportedTransferCoding: (501, "Not Implemented"),
}
SERVER_ERRORS = (errors.ConfigurationProblem, errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)


# For each read and each write: 10 seconds, 0 microseconds. gunicorn has no such timeout, so a phone that
# loses its network during a request would occupy a thread forever.
SOCKET_TIMEOUT = struct.pack("ll", 10, 0)


class Worker(ThreadWorker):
    def handle(self, conn: Any) -> Any:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, SOCKET_TIMEOUT)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, SOCKET_TIMEOUT)
        return super().handle(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """gunicorn's own response is HTML and contains parts of the request."""
        request_id = uuid.uuid4().hex
        if isinstance(exc, errors.ParseException) and not isinstance(exc, SERVER_ERRORS):
            status, reason = STATUS.get(type(exc), (400, "Bad Request"))
            code, message = "MALFORMED_REQUEST", f"The request is not valid HTTP ({reason.lower()})."
            logger.warning("unreadable request: %s", type(exc).__name__, extra={"request_id": request_id})
        else:
            status, reason = 500, "Internal Server Error"
            code, message = (
                "INTERNAL_ERROR",
                "Something went wrong on our side. Quote the request id when you report it.",
            )
            logger.error("unhandled error", exc_info=exc, extra={"request_id": request_id})
        body = dumps({"error": {"code": code, "message": message, "request_id": request_id, "details": {}}})
        head = (
            f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nX-Request-ID: {request_id}\r\n\r\n"
        )
        try:
            client.sendall(head.encode("ascii") + body)
        except OSError:
            logger.debug("The client disconnected before the response.")
