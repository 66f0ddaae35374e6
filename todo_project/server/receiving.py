"""Looks at a request without reading it, so that the kernel holds it until it is complete, and no thread."""

import re
import socket

PEEK_SIZE = 65_536
"""A longer head, or a longer chunked body, is read by a thread before it is complete."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
AUTHORIZATION = b"\r\nauthorization:"

_PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)  # Enumerations compute it in Python each time.

_content_length = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
_chunked = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked[ \t]*\r\n", re.IGNORECASE)
_expects_continue = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


def peek(sock: socket.socket, read_ahead: bytes, *, max_body: int, is_reported: bool) -> bytes | None:
    """A request that a thread can read without waiting. None if there is none; then poll() reports the rest.

    `read_ahead` is the part that was read together with the previous request. `is_reported` says that poll()
    has reported the socket.
    """
    expected = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)
    try:
        received = sock.recv(PEEK_SIZE, _PEEK)
        missing = bytes_missing(read_ahead + received, max_body=max_body)
        if is_reported and len(received) < expected:
            missing = 0  # The client sends no more, or the kernel or PEEK_SIZE allows no more.
    except BlockingIOError:
        received, missing = b"", bytes_missing(read_ahead, max_body=max_body)
    if missing and waits_for_continue(read_ahead + received):
        sock.send(CONTINUE, socket.MSG_DONTWAIT)
    # Back to 1 for the thread, because reads wait for as many bytes, too.
    low_water_mark = len(received) + missing if missing else 1
    if low_water_mark != expected:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low_water_mark)
    return None if missing else read_ahead + received


def authorization(request: bytes) -> str | None:
    """The header of this name."""
    head = request[: request.find(b"\r\n\r\n") + 2]
    start = head.lower().find(AUTHORIZATION)  # A regular expression takes ten times as long.
    if start < 0:
        return None
    start += len(AUTHORIZATION)
    return head[start : head.index(b"\r\n", start)].strip(b" \t").decode("latin-1")


def bytes_missing(data: bytes, *, max_body: int) -> int:
    """A lower bound for the number of bytes that complete a request."""
    end = data.find(b"\r\n\r\n") + 4
    if end < 4:
        return 1
    head = data[:end]
    if _chunked.search(head):
        last_chunk = data.find(b"\r\n0\r\n", end - 2)
        complete = last_chunk >= 0 and data.find(b"\r\n\r\n", last_chunk + 3) >= 0
        return int(not complete)
    length = _content_length.search(head)
    body = int(length[1]) if length else 0
    # A body that is too large is rejected without being read.
    return max(0, end + body - len(data)) if body <= max_body else 0


def waits_for_continue(data: bytes) -> bool:
    """Whether the client has sent a head and waits for 100 Continue before it sends the body."""
    head, end, body = data.partition(b"\r\n\r\n")
    return bool(end and not body and b" HTTP/1.1\r\n" in head and _expects_continue.search(head + end))
