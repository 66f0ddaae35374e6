"""The real server logs one JSON object per line, without secrets."""

import json
import uuid

import pytest

from tests.support.assertions import assert_error
from tests.support.raw_http import ALICE, NOTE, ask, json_request, lines, request
from tests.support.run_app import ALICE_ID, MEMORY
from tests.support.servers.gunicorn import Gunicorn

pytestmark = pytest.mark.own_servers

SECRETS = ("Cookie: sessionid=a-secret", "X-Api-Key: a-secret", "Referer: http://example.com/a-secret")


def new_note() -> bytes:
    """A request with a different title each time, because titles are unique per owner."""
    return json_request(json.dumps({"title": f"a-secret {uuid.uuid4().hex[:8]}"}), *SECRETS)


LOGGED = {
    "a list": (lambda: request("GET /api/v1/notes?q=a-secret", *SECRETS), "GET", "/api/v1/notes", 200),
    "a new note": (new_note, "POST", "/api/v1/notes", 201),
    "a refused note": (
        lambda: json_request('{"a-secret": "a-secret"}', *SECRETS, to=f"PATCH {NOTE}?q=a-secret"),
        "PATCH",
        "/api/v1/notes/<id:id>",
        400,
    ),
}


@pytest.mark.parametrize(("raw", "method", "route", "status"), LOGGED.values(), ids=LOGGED)
def test_a_request_is_logged_in_one_line_with_user_route_and_status(server, raw, method, route, status):
    answer = ask(server, raw())

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
        "code": "VALIDATION_ERROR" if status == 400 else None,
        "client": "127.0.0.1",
        "user_id": ALICE_ID,
    }


@pytest.mark.parametrize("raw", [raw for raw, *_ in LOGGED.values()], ids=LOGGED)
@pytest.mark.parametrize(
    "secret", ["a-secret", ALICE, NOTE[-36:]], ids=["data of the request", "the token", "an id"]
)
def test_the_log_contains_no_secret(server, raw, secret):
    ask(server, raw())

    assert secret not in server.log


@pytest.mark.parametrize(
    ("how", "logged"), [("bug", "RuntimeError: secret detail"), ("header", "InvalidResponseHeader")]
)
def test_a_crash_is_logged_in_one_line_with_its_stack(server, how, logged):
    log_before = server.log

    answer = ask(server, request(f"GET /api/v1/plain/{how}"))

    assert_error(answer, 500, "INTERNAL_ERROR")
    assert b"secret" not in answer.content
    [error] = [line for line in lines(server.log.removeprefix(log_before)) if line["level"] == "ERROR"]
    assert error["request_id"] == answer["X-Request-ID"]
    assert logged in error["exception"]


def test_an_unreadable_request_is_logged_with_the_id_of_its_response(server):
    answer = ask(server, request("GET /api/v1/notes", "a-secret"))

    [line] = [line for line in lines(server.log) if line["request_id"] == answer["X-Request-ID"]]
    assert (line["level"], line["message"]) == ("WARNING", "unreadable request: InvalidHeader")


def test_gunicorn_logs_its_own_messages_as_json():
    with Gunicorn(DATABASE_URL=MEMORY) as server:
        server.stop()
        log = lines(server.log)

    messages = " ".join(line["message"] for line in log if line["logger"] == "gunicorn.error")
    assert "Listening at" in messages
    assert "Shutting down" in messages
