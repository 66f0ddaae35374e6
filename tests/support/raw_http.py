"""Send bytes to the server that no HTTP client would send, and read the response."""

import contextlib
import http.client
import json
import socket
from dataclasses import dataclass
from email.message import Message
from typing import Any

from .processes import TIMEOUT
from .servers.gunicorn import Gunicorn

HOST = "api.example.com"
ALICE, BOB = "alice@example.com", "bob@example.com"
NOTE = "/api/v1/notes/0191f3a8-7a52-7c9e-8a2f-3b1d5c6e7f80"


@dataclass
class Answer:
    """A response with the attributes that assert_error expects."""

    status_code: int
    headers: Message
    content: bytes

    def __getitem__(self, name: str) -> str | None:
        return self.headers[name]

    def json(self) -> Any:
        return json.loads(self.content)


class HalfClosed(bytes):
    """A request after which the client closes its sending half."""


def request(line: str, *headers: str, body: bytes = b"", alice: bool = True) -> bytes:
    authorization = [f"Authorization: Bearer {ALICE}"] if alice else []
    head = "\r\n".join([f"{line} HTTP/1.1", f"Host: {HOST}", *authorization, *headers])
    return f"{head}\r\n\r\n".encode("latin-1") + body


def json_request(
    body: bytes | str, *headers: str, to: str = "POST /api/v1/notes", kind: str | None = "application/json"
) -> bytes:
    body = body.encode() if isinstance(body, str) else body
    content_type = [f"Content-Type: {kind}"] if kind else []
    return request(to, f"Content-Length: {len(body)}", *content_type, *headers, body=body)


def chunked(*chunks: bytes) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
    return request(
        "POST /api/v1/notes", "Transfer-Encoding: chunked", "Content-Type: application/json", body=body
    )


def query(text: str) -> bytes:
    return request(f"GET /api/v1/notes?{text}")


def ask(server: Gunicorn, raw: bytes) -> Answer:
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as client:
        with contextlib.suppress(ConnectionError):  # if the server closes it early
            client.sendall(raw)
            if isinstance(raw, HalfClosed):
                client.shutdown(socket.SHUT_WR)
        return receive(client)


def receive(client: socket.socket) -> Answer:
    with contextlib.closing(http.client.HTTPResponse(client)) as response:
        response.begin()
        return Answer(response.status, response.headers, response.read())


VALID_REQUEST = request("GET /api/v1/notes")


def lines(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines()]


def levels(log: str) -> set[str]:
    return {line["level"] for line in lines(log)}
