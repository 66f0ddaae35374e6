"""Every request has an id and is logged in one line, without any secret."""

import json
import logging
import sys

import pytest

from tests.support.caller import UNKNOWN_ID
from todo_project.api.request_log import FIELDS, JSONFormatter, ReadableFormatter, RequestIdFilter


@pytest.fixture
def lines(caplog):
    """The lines of requests, as the production handler would write them."""

    def read() -> list[dict]:
        formatter = JSONFormatter()
        return [
            json.loads(formatter.format(record)) for record in caplog.records if record.name == "todo.request"
        ]

    caplog.set_level(logging.INFO)
    ids = RequestIdFilter()
    caplog.handler.addFilter(ids)
    yield read
    caplog.handler.removeFilter(ids)  # All tests share the handler.


@pytest.mark.parametrize(
    "request_id", ["abc-123", "x" * 128, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
)
def test_a_request_id_of_the_client_is_used(client, request_id):
    assert client.get("/healthz", headers={"X-Request-ID": request_id})["X-Request-ID"] == request_id


@pytest.mark.parametrize("request_id", ["", "x" * 129, "with space", "tab\there", "é", "new\nline"])
def test_a_request_id_that_is_too_long_or_not_printable_is_replaced(client, request_id):
    response = client.get("/healthz", headers={"X-Request-ID": request_id})

    assert response["X-Request-ID"] != request_id
    assert len(response["X-Request-ID"]) == 32


def test_each_request_gets_an_id_of_its_own(client):
    assert client.get("/healthz")["X-Request-ID"] != client.get("/healthz")["X-Request-ID"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/admin/", "/readyz", "/static/todo_project/pages.css"])
def test_every_response_has_a_request_id(client, db, path):
    response = client.get(path)
    response.close()

    assert response["X-Request-ID"]


def test_a_request_is_logged_in_one_line(notes_alice, alice, lines):
    response = notes_alice("get", "/notes")

    [line] = lines()
    assert line["method"] == "GET"
    assert line["route"] == "/api/v1/notes"
    assert line["status"] == 200
    assert line["duration_ms"] >= 0
    assert line["user_id"] == str(alice.pk)
    assert line["request_id"] == response["X-Request-ID"]
    assert set(line) == {"time", "level", "logger", "message", "request_id", *FIELDS}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/notes", 200, None),
        ("/notes?unknown=1", 400, "VALIDATION_ERROR"),
        (f"/notes/{UNKNOWN_ID}", 404, "NOT_FOUND"),
        ("/no-such-route", 404, "NOT_FOUND"),
        ("/plain/bug", 500, "INTERNAL_ERROR"),
    ],
)
def test_the_code_of_an_error_is_logged(notes_alice, lines, path, status, code):
    notes_alice("get", path)

    assert [(line["status"], line["code"]) for line in lines()] == [(status, code)]


def test_a_missing_and_a_forged_token_have_different_codes_in_the_log(client, db, lines):
    client.get("/api/v1/me")
    client.get("/api/v1/me", headers={"Authorization": "Bearer forged"})

    assert [line["code"] for line in lines()] == ["NOT_AUTHENTICATED", "INVALID_TOKEN"]


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [("203.0.113.9, 198.51.100.7", "198.51.100.7"), ("2001:db8:1:2::7", "2001:db8:1:2::/64")],
)
def test_the_clients_address_is_logged_as_the_proxy_forwards_it(client, settings, lines, forwarded, address):
    settings.TRUSTED_PROXY_COUNT = 1

    client.get("/healthz", headers={"X-Forwarded-For": forwarded})

    assert lines()[0]["client"] == address


def test_an_address_that_cannot_be_read_is_not_logged(client, settings, lines):
    settings.TRUSTED_PROXY_COUNT = 1

    client.get("/healthz", headers={"X-Forwarded-For": "a-secret"})

    assert lines()[0]["client"] is None


def test_the_logged_route_contains_no_id(notes_alice, lines):
    notes_alice("get", f"/notes/{UNKNOWN_ID}")

    assert lines()[0]["route"] == "/api/v1/notes/<id:id>"


def test_the_readable_log_shows_the_path_on_one_line_without_the_query(client, db, caplog):
    caplog.set_level(logging.INFO)
    client.get("/no%0Aroute?secret=1")

    [line] = [ReadableFormatter().format(each) for each in caplog.records if each.name == "todo.request"]
    assert line.startswith("GET /no%0Aroute → 404 NOT_FOUND in ")


def test_an_unknown_path_is_logged_without_a_route(client, db, lines):
    client.get("/secret-path?secret=1")

    [line] = lines()
    assert (line["route"], line["status"], line["user_id"]) == (None, 404, None)
    assert "secret" not in json.dumps(line)


def test_no_query_body_cookie_or_token_is_logged(notes_alice, lines):
    notes_alice("post", "/notes?secret=1", {"title": "secret-title"}, Cookie="crumb=secret-cookie")
    notes_alice("post", "/notes", {"title": "secret-title"}, Cookie="crumb=secret-cookie")

    assert [line["status"] for line in lines()] == [400, 201]
    assert "secret" not in json.dumps(lines())
    assert "alice@" not in json.dumps(lines())


def test_an_unknown_method_is_logged_as_other(notes_alice, lines):
    notes_alice("forged", "/notes")

    assert lines()[0]["method"] == "other"


def test_a_session_user_is_logged_only_if_the_view_loads_the_user(
    client, alice, lines, django_assert_num_queries
):
    client.force_login(alice)

    with django_assert_num_queries(0):
        client.get("/docs")
    client.get("/admin/")

    assert [line["user_id"] for line in lines()] == [None, str(alice.pk)]


def test_an_exception_is_logged_as_one_line_of_json_with_its_stack():
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "it %s", ("broke",), sys.exc_info())

    text = JSONFormatter().format(record)

    assert "\n" not in text
    assert json.loads(text)["message"] == "it broke"
    assert "RuntimeError: first\nsecond" in json.loads(text)["exception"]
