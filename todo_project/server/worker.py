"""gunicorn's threaded worker, with an end to its patience, and the one error shape."""

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
OURS = (errors.ConfigurationProblem, errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)


# For each piece of a request to arrive, and of an answer to be taken: 10 seconds, 0 microseconds. gunicorn
# waits without end; a phone that leaves the network in mid request would hold a thread for good.
PATIENCE = struct.pack("ll", 10, 0)


class Worker(ThreadWorker):
    def handle(self, conn: Any) -> Any:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, PATIENCE)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, PATIENCE)
        return super().handle(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """gunicorn's own answer is HTML and repeats the request's text."""
        request_id = uuid.uuid4().hex
        if isinstance(exc, errors.ParseException) and not isinstance(exc, OURS):
            status, reason = STATUS.get(type(exc), (400, "Bad Request"))
            code, message = "MALFORMED_REQUEST", f"This is not a request that can be read ({reason.lower()})."
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
            logger.debug("The client was gone before its answer.")
