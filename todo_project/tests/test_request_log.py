"""Every request has an id and leaves one line, which tells nothing that was confided."""

import json
import logging
import sys

import pytest

from todo_project.api.request_log import FIELDS, JSONFormatter, RequestIdFilter

NOTES = "/api/v1/notes"


@pytest.fixture
def lines(caplog):
    """The request's lines, as the production handler would write them."""

    def read() -> list[dict]:
        formatter = JSONFormatter()
        return [
            json.loads(formatter.format(record)) for record in caplog.records if record.name == "todo.request"
        ]

    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(RequestIdFilter())
    return read


@pytest.mark.parametrize(
    "offered", ["abc-123", "x" * 128, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
)
def test_an_offered_id_is_taken(client, offered):
    assert client.get("/healthz", headers={"X-Request-ID": offered})["X-Request-ID"] == offered


@pytest.mark.parametrize("offered", ["", "x" * 129, "with space", "tab\there", "é", "new\nline"])
def test_an_id_that_is_too_long_or_not_printable_is_replaced(client, offered):
    response = client.get("/healthz", headers={"X-Request-ID": offered})

    assert response["X-Request-ID"] != offered
    assert len(response["X-Request-ID"]) == 32


def test_two_requests_get_two_ids(client):
    assert client.get("/healthz")["X-Request-ID"] != client.get("/healthz")["X-Request-ID"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/admin/", "/readyz", "/static/todo_project/pages.css"])
def test_every_answer_carries_an_id(client, db, path):
    response = client.get(path)
    response.close()

    assert response["X-Request-ID"]


def test_a_request_leaves_one_line(as_alice, alice, lines):
    response = as_alice.get(NOTES)

    [line] = lines()
    assert line["method"] == "GET"
    assert line["route"] == "/api/v1/notes"
    assert line["status"] == 200
    assert line["duration_ms"] >= 0
    assert line["user_id"] == str(alice.pk)
    assert line["request_id"] == response["X-Request-ID"]
    assert set(line) == {"time", "level", "logger", "message", "request_id", *FIELDS}


def test_the_line_names_the_route_and_not_the_thing(as_alice, lines):
    as_alice.get(f"{NOTES}/6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52")

    assert lines()[0]["route"] == "/api/v1/notes/<id:id>"


def test_the_line_of_an_unknown_path_has_no_route(client, db, lines):
    client.get("/secret-path?secret=1")

    [line] = lines()
    assert (line["route"], line["status"], line["user_id"]) == (None, 404, None)
    assert "secret" not in json.dumps(line)


def test_the_line_tells_nothing_that_was_confided(as_alice, lines):
    as_alice.cookies["crumb"] = "confided-cookie"
    as_alice.post(f"{NOTES}?confided=1", {"title": "confided-title"}, content_type="application/json")
    as_alice.post(NOTES, {"title": "confided-title"}, content_type="application/json")

    assert [line["status"] for line in lines()] == [400, 201]
    assert "confided" not in json.dumps(lines())
    assert "alice@" not in json.dumps(lines())


def test_a_method_made_up_to_forge_a_line_is_not_repeated(as_alice, lines):
    as_alice.generic("FORGED", NOTES)

    assert lines()[0]["method"] == "other"


def test_a_session_user_is_named_only_if_somebody_looked(client, alice, lines, django_assert_num_queries):
    client.force_login(alice)

    with django_assert_num_queries(0):
        client.get("/docs")
    client.get("/admin/")

    assert [line["user_id"] for line in lines()] == [None, str(alice.pk)]


def test_an_exception_is_one_line_of_json_with_its_stack():
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "it %s", ("broke",), sys.exc_info())

    text = JSONFormatter().format(record)

    assert "\n" not in text
    assert json.loads(text)["message"] == "it broke"
    assert "RuntimeError: first\nsecond" in json.loads(text)["exception"]
