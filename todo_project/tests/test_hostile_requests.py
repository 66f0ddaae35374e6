"""The real server answers any bytes with an error in JSON, and other requests do not suffer."""

import re
import socket

import pytest

from tests.support.assertions import assert_error
from tests.support.processes import TIMEOUT
from tests.support.raw_http import (
    ALICE,
    HOST,
    NOTE,
    VALID_REQUEST,
    HalfClosed,
    ask,
    chunked,
    json_request,
    levels,
    query,
    request,
)

pytestmark = pytest.mark.own_servers

BAD, LARGE, TYPE = "MALFORMED_REQUEST", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"
INVALID, METHOD, UNKNOWN = "VALIDATION_ERROR", "METHOD_NOT_ALLOWED", "NOT_FOUND"

JSON = "Content-Type: application/json"
MIB = 1024 * 1024
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
    "an unknown HTTP version": (b"GET /healthz HTTP/9.9\r\n\r\n", 400, BAD),
    "an HTTP version in words": (b"GET /healthz HTTP/one\r\n\r\n", 400, BAD),
    "no HTTP version": (b"GET /healthz\r\n\r\n", 400, BAD),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, BAD),
    "a TLS handshake": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, BAD),
    "a method with invalid characters": (b"G(T /healthz HTTP/1.1\r\n\r\n", 400, BAD),
    "a method in lower case": (b"get /healthz HTTP/1.1\r\n\r\n", 400, BAD),
    "an unknown Host": (VALID_REQUEST.replace(HOST.encode(), b"evil.example"), 421, "UNKNOWN_HOST"),
    "an invalid Host": (VALID_REQUEST.replace(HOST.encode(), b"a b/c"), 400, BAD),
    "no Host": (VALID_REQUEST.replace(b"Host", b"X-Host"), 400, BAD),
    "two Hosts": (request("GET /api/v1/notes", "Host: evil.example"), 400, BAD),
    "a nonsense expectation": (request("GET /api/v1/notes", "Expect: nonsense"), 417, BAD),
    "HTTP/1.0": (VALID_REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"), 200, None),
    "a request id with a control character": (
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
    "an invalid id": (request("GET /api/v1/notes/1%20OR%201=1"), 404, UNKNOWN),
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
    "a CONNECT to another server": (request("CONNECT example.com:443"), 404, UNKNOWN),
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
    "a very long cursor": (query("cursor=" + "x" * 7000), 400, INVALID),
    "too many parameters": (query("&".join(["a"] * 1500)), 400, BAD),
    "an SQL injection": (query("ordering=id;DROP%20TABLE%20x"), 400, INVALID),
    # the body's length
    "two lengths": (json_request("{}", "Content-Length: 3"), 400, BAD),
    "a length in letters": (request("POST /api/v1/notes", "Content-Length: ten", JSON), 400, BAD),
    "a negative length": (request("POST /api/v1/notes", "Content-Length: -1", JSON), 400, BAD),
    "a length with a sign": (request("POST /api/v1/notes", "Content-Length: +2", JSON, body=b"{}"), 400, BAD),
    "a length and chunks": (json_request("0\r\n\r\n", "Transfer-Encoding: chunked"), 400, BAD),
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
    "chunks that end too early": (HalfClosed(chunked(b'{"title": "x"}')[:-9]), 400, BAD),
    "a body of 10 GB announced": (
        request("POST /api/v1/notes", f"Content-Length: {10**10}", JSON),
        413,
        LARGE,
    ),
    "a body of 100 MB announced": (
        request("POST /api/v1/notes", f"Content-Length: {10**8}", JSON),
        413,
        LARGE,
    ),
    "a body of 5 MiB": (json_request(TOO_LARGE), 413, LARGE),
    "a body of 5 MiB in chunks": (
        chunked(*[TOO_LARGE[at : at + MIB] for at in range(0, len(TOO_LARGE), MIB)]),
        413,
        LARGE,
    ),
    "5 MiB in chunks without an end": (chunked(TOO_LARGE).removesuffix(b"0\r\n\r\n"), 413, LARGE),
    "chunks within the limit": (chunked(b'{"title": ', b'"in chunks"}'), 201, None),
    "a body that ends too early": (HalfClosed(json_request('{"title": "too short"}')[:-1]), 400, BAD),
    "a body that ends too early but is JSON": (
        HalfClosed(request("POST /api/v1/notes", "Content-Length: 99", JSON, body=b'{"title": "cut"}')),
        400,
        BAD,
    ),
    "a body that ends too early, with an Idempotency-Key": (
        HalfClosed(
            request("POST /api/v1/notes", "Content-Length: 99", JSON, "Idempotency-Key: 1", body=b"{}")
        ),
        400,
        BAD,
    ),
    # the body's encoding and type
    "broken UTF-8 in the body": (json_request(b'{"title": "\xff"}'), 400, BAD),
    "overlong UTF-8 in the body": (json_request(b'{"title": "\xc0\xaf"}'), 400, BAD),
    "a surrogate in UTF-8": (json_request(b'{"title": "\xed\xa0\x80"}'), 400, BAD),
    "UTF-16": (json_request('{"title": "x"}'.encode("utf-16")), 400, BAD),
    "a byte order mark": (json_request(b'\xef\xbb\xbf{"title": "x"}'), 400, BAD),
    "a text body": (json_request("title=x", kind="text/plain"), 415, TYPE),
    "a URL-encoded form": (json_request("title=x", kind="application/x-www-form-urlencoded"), 415, TYPE),
    "a multipart form without a boundary": (json_request("x", kind="multipart/form-data"), 415, TYPE),
    "an invalid type": (json_request("{}", kind=";;=/"), 415, TYPE),
    "no type": (json_request("{}", kind=None), 415, TYPE),
    "another charset": (json_request("{}", kind="application/json; charset=latin-1"), 415, TYPE),
    "a compressed body": (json_request(b"\x1f\x8b\x08\x00", "Content-Encoding: gzip"), 400, BAD),
    "an Accept of HTML only": (request("GET /api/v1/notes", "Accept: text/html"), 406, "NOT_ACCEPTABLE"),
    "an invalid Accept": (request("GET /api/v1/notes", "Accept: ;;=/,"), 406, "NOT_ACCEPTABLE"),
    # the body's JSON
    "an escaped NUL": (json_request(r'{"title": "a\u0000b"}'), 400, BAD),
    "an escaped NUL inside": (json_request(r'{"title": "a", "extra": {"a\u0000": 1}}'), 400, BAD),
    "a control character": (json_request('{"title": "a\x01"}'), 400, BAD),
    "a lone surrogate": (json_request(r'{"title": "\ud800"}'), 400, BAD),
    "100 000 brackets": (json_request("[" * 100_000), 400, BAD),
    "100 000 pairs of brackets": (json_request("[" * 100_000 + "]" * 100_000), 400, BAD),
    "40 objects deep": (json_request('{"title": "a", "extra": ' + '{"a":' * 40 + "1" + "}" * 41), 400, BAD),
    "a number beyond any float": (json_request('{"title": "a", "rank": 1e999}'), 400, BAD),
    "an integer of 400 digits": (json_request('{"title": "a", "rank": %s}' % ("9" * 400)), 400, BAD),
    "an integer of 25 digits": (json_request('{"title": "a", "rank": %s}' % ("9" * 25)), 400, INVALID),
    "a float for an integer": (json_request('{"title": "a", "rank": 1.5}'), 400, INVALID),
    "NaN": (json_request('{"title": "a", "rank": NaN}'), 400, BAD),
    "a time before the first year": (
        json_request('{"title": "a", "due_at": "0001-01-01T00:00:00+14:00"}'),
        400,
        INVALID,
    ),
    "a time after the last year": (
        json_request('{"title": "a", "due_at": "9999-12-31T23:59:59-14:00"}'),
        400,
        INVALID,
    ),
    "a time as a number": (json_request('{"title": "a", "due_at": 1e300}'), 400, INVALID),
    "an object for a text": (json_request('{"title": {"a": 1}}'), 400, INVALID),
    "two JSON values": (json_request("{}{}"), 400, BAD),
    "null": (json_request("null"), 400, INVALID),
    "an array": (json_request("[]"), 400, INVALID),
    "a string": (json_request('"title"'), 400, INVALID),
    "no body": (json_request(""), 400, INVALID),
    "an empty PATCH": (json_request("", to=f"PATCH {NOTE}"), 400, BAD),
    # the method
    "an unknown method": (request("BREW /api/v1/notes"), 405, METHOD),
    "TRACE": (request("TRACE /api/v1/notes"), 405, METHOD),
    "OPTIONS for everything": (request("OPTIONS *"), 404, UNKNOWN),
    "PUT on a collection": (json_request("{}", to="PUT /api/v1/notes"), 405, METHOD),
    "an overridden method": (
        json_request('{"title": "overridden"}', "X-HTTP-Method-Override: DELETE"),
        201,
        None,
    ),
    "POST to a probe": (json_request("{}", to="POST /readyz"), 405, METHOD),
    # the other headers
    "an invalid If-Match": (json_request('{"rank": 1}', "If-Match: 17", to=f"PATCH {NOTE}"), 400, INVALID),
    "an Idempotency-Key that is too long": (
        json_request('{"title": "key"}', f"Idempotency-Key: {'x' * 5000}"),
        400,
        INVALID,
    ),
}


@pytest.mark.parametrize(("raw", "status", "code"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_request_gets_json_and_does_not_affect_the_next_request(server, raw, status, code):
    log_before = server.log

    answer = ask(server, raw)

    if code:
        assert_error(answer, status, code)
    else:
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
        assert answer["X-Request-ID"]
    assert ask(server, VALID_REQUEST).status_code == 200
    assert "ERROR" not in levels(server.log.removeprefix(log_before))


def test_pipelined_requests_are_all_answered(server):
    last = request("GET /healthz", "Connection: close")
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as client:
        client.sendall(VALID_REQUEST + json_request("{}") + VALID_REQUEST + last)
        answers = client.makefile("rb").read()

    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"200", b"400", b"200", b"200"]


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/notes", "/docs", "/nothing"])
def test_a_head_request_gets_no_body_and_logs_no_warning(server, path):
    log_before = server.log
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as client:
        client.sendall(request(f"HEAD {path}", "Connection: close"))
        answer = client.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 404" if path == "/nothing" else b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")
    assert levels(server.log.removeprefix(log_before)) == {"INFO"}


def test_a_request_after_a_malformed_one_on_the_same_connection_is_not_read(server):
    smuggled = json_request('{"title": "smuggled"}')
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as client:
        client.sendall(json_request("0\r\n\r\n", "Transfer-Encoding: chunked") + smuggled)
        answers = client.makefile("rb").read()

    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"400"]
