"""Every error has the same shape and contains no internal details."""

import logging

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from django.test import Client

from tests.support.assertions import assert_error
from tests.support.notes import Note


@pytest.fixture
def note(notes_alice):
    return notes_alice("post", "/notes", {"title": "milk"}).json()


def post(caller, body, content_type="application/json"):
    return caller("post", "/notes", body, **{"Content-Type": content_type})


CRASHES = [
    ("bug", 500, "INTERNAL_ERROR"),
    ("sql", 500, "INTERNAL_ERROR"),
    ("suspicious", 400, "MALFORMED_REQUEST"),
    ("forbidden", 403, "PERMISSION_DENIED"),
]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("kind", ["crash", "plain"])
@pytest.mark.parametrize(("how", "status", "code"), CRASHES)
def test_the_error_of_a_crash_contains_no_details(client, notes, settings, kind, how, status, code, debug):
    settings.DEBUG = debug

    response = client.get(f"/api/v1/{kind}/{how}")

    if how == "sql" and connection.vendor == "sqlite":
        # SQLite has the same error class for invalid SQL and a locked database.
        status, code = 503, "SERVICE_UNAVAILABLE"
    assert_error(response, status, code)
    assert b"secret" not in response.content


def test_a_bug_is_logged_once_with_its_stack_and_the_request_id(client, notes, caplog):
    response = client.get("/api/v1/crash/bug", headers={"X-Request-ID": "find-me"})

    error = assert_error(response, 500, "INTERNAL_ERROR")
    assert error["request_id"] == "find-me"
    records = [record for record in caplog.records if record.levelno >= logging.ERROR and record.exc_info]
    assert len(records) == 1
    assert "secret detail" in str(records[0].exc_info)


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["crash", "plain"])
def test_a_query_that_exceeds_the_statement_timeout_is_504(client, notes, kind):
    with transaction.atomic():
        assert_error(client.get(f"/api/v1/{kind}/timeout"), 504, "QUERY_TIMEOUT")
        transaction.set_rollback(True)


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/nothing", "/api/v2/x", "/api/v1/notes/not-an-id", "/%00"]
)
def test_an_unknown_path_is_a_404_in_json(client, notes, settings, path, debug):
    settings.DEBUG = debug

    assert_error(client.get(path), 404, "NOT_FOUND")


def test_an_unknown_id_and_an_unknown_path_have_the_same_response(notes_alice):
    for_id, for_path = (
        notes_alice("get", path, **{"X-Request-ID": "same"}) for path in ("/notes/{UNKNOWN_ID}", "/nothing")
    )

    assert_error(for_id, 404, "NOT_FOUND")
    assert for_id.content == for_path.content


@pytest.mark.parametrize("debug", [False, True])
def test_an_unknown_host_is_421_and_the_log_names_it(client, settings, debug, caplog):
    settings.DEBUG = debug

    for path in ("/docs", "/api/v1/tasks", "/nowhere"):
        assert_error(client.get(path, headers={"Host": "evil.example.com"}), 421, "UNKNOWN_HOST")
    assert "Refused a request for the unknown host evil.example.com." in caplog.messages


def test_a_request_without_credentials_is_401_with_a_challenge(client, notes):
    response = client.get("/api/v1/notes")

    assert_error(response, 401, "NOT_AUTHENTICATED")
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz"])
def test_a_post_to_a_page_is_405(client, db, path):
    response = client.post(path)

    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "NONSENSE"])
def test_the_response_to_an_unsupported_method_lists_the_allowed_ones(notes_alice, method):
    response = notes_alice(method, "/notes")

    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "GET, HEAD, POST"


def test_a_request_that_does_not_accept_json_is_406(notes_alice):
    assert_error(notes_alice("get", "/notes", Accept="text/html"), 406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        ";;",
        "json",
        "application/json; charset=latin-1",
    ],
)
def test_a_body_of_a_type_other_than_json_in_utf_8_is_refused(notes_alice, content_type):
    body = '{"title": "café"}'.encode("latin-1")

    assert_error(post(notes_alice, body, content_type), 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"title": "milk"} x',
        b'{"title": NaN}',
        b"{'title': 'milk'}",
        b'{"title": "\xff"}',
        b'{"title": "\xc0\xaf"}',
        b'\xef\xbb\xbf{"title": "milk"}',
        '{"title": "milk"}'.encode("utf-16"),
        b'{"title": "\\ud800"}',
        b'{"title": "milk\\u0000"}',
        b'{"extra": {"a": ["\\u0000"]}, "title": "milk"}',
        b'{"extra": {"\\u0000": 1}, "title": "milk"}',
        b"[" * 100_000,
        b"[" * 1000 + b"]" * 1000,
        b'{"title": "milk", "extra": ' + b'{"a": ' * 40 + b"1" + b"}" * 41,
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_a_body_that_cannot_be_parsed_or_stored_is_malformed(notes_alice, body):
    assert_error(post(notes_alice, body), 400, "MALFORMED_REQUEST")

    assert notes_alice("get", "/notes").json()["results"] == []


def test_an_escaped_backslash_before_u0000_is_accepted(notes_alice):
    response = post(notes_alice, rb'{"title": "a\\u0000b"}')

    assert response.status_code == 201
    assert response.json()["title"] == r"a\u0000b"


def test_a_body_of_the_maximum_depth_is_stored(notes_alice):
    body = b'{"title": "deep", "extra": ' + b'{"a": ' * 30 + b"1" + b"}" * 31

    assert post(notes_alice, body).status_code == 201


@pytest.mark.parametrize("body", [b"null", b"[]", b'"milk"', b"1", b"true"])
def test_the_error_of_a_body_that_is_no_object_names_no_field(notes_alice, body):
    error = assert_error(post(notes_alice, body), 400, "VALIDATION_ERROR")

    assert error["details"]["field"] is None


def test_a_body_over_the_limit_is_too_large(notes_alice, settings):
    body = b'{"title": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'

    assert_error(post(notes_alice, body), 413, "PAYLOAD_TOO_LARGE")


def test_a_body_with_too_many_values_is_too_large(notes_alice):
    body = {"title": "milk", **{f"k{number}": 1 for number in range(10_000)}}

    assert_error(post(notes_alice, body), 413, "PAYLOAD_TOO_LARGE")


def test_commas_in_a_string_do_not_count_as_values(notes_alice):
    response = post(notes_alice, {"title": "," * 20_000})

    assert_error(response, 400, "VALIDATION_ERROR", field="title", constraint="max_length")


def test_at_most_100_errors_are_returned(notes_alice):
    error = assert_error(
        post(notes_alice, {f"k{number}": 1 for number in range(500)}), 400, "VALIDATION_ERROR"
    )

    assert len(error["details"]["errors"]) == 100


def test_the_message_and_the_details_of_a_validation_error_name_the_field(notes_alice):
    error = assert_error(post(notes_alice, {"title": " "}), 400, "VALIDATION_ERROR", field="title")

    assert error["message"] == "Title must not be blank."
    assert error["details"] == {
        "field": "title",
        "constraint": "blank",
        "errors": [{"field": "title", "constraint": "blank", "message": "Title must not be blank."}],
    }


def test_all_validation_errors_are_returned_together(notes_alice):
    error = assert_error(post(notes_alice, {"rank": "x", "due_at": "soon"}), 400, "VALIDATION_ERROR")

    errors = {(each["field"], each["constraint"]) for each in error["details"]["errors"]}
    assert errors == {("title", "required"), ("rank", "invalid"), ("due_at", "invalid")}


def test_a_violated_check_constraint_is_a_validation_error_with_its_code_and_message(notes_alice):
    response = post(notes_alice, {"title": "milk", "rank": -1})

    error = assert_error(response, 400, "VALIDATION_ERROR", field="rank", constraint="negative")
    assert error["message"] == "Rank may not be negative."


def test_a_violated_unique_constraint_is_a_conflict(notes_alice, note):
    assert_error(post(notes_alice, {"title": "milk"}), 409, "CONFLICT", constraint="unique")


@pytest.mark.postgres
def test_a_value_outside_the_range_of_the_column_is_invalid(notes_alice):
    assert_error(post(notes_alice, {"title": "milk", "rank": 10**12}), 400, "VALIDATION_ERROR")


def test_a_refused_write_changes_nothing(notes_alice, note):
    path = f"/notes/{note['id']}"

    response = notes_alice("patch", path, {"title": "bread", "rank": -1})

    assert_error(response, 400, "VALIDATION_ERROR")
    assert notes_alice("get", path).json() == note


def test_the_check_constraint_exists_in_the_database(alice):
    with pytest.raises(IntegrityError):
        Note.objects.create(owner=alice, title="milk", rank=-1)


@pytest.mark.parametrize("debug", [False, True])
def test_a_crash_in_the_admin_is_an_html_page(client, notes, settings, debug):
    settings.DEBUG = debug

    response = client.get("/admin/plain/bug")

    assert response.status_code == 500
    assert response["Content-Type"].startswith("text/html")


def test_a_failed_csrf_check_in_the_admin_is_an_html_page(db):
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "x", "password": "y"})

    assert response.status_code == 403
    assert response["Content-Type"].startswith("text/html")


def test_an_unknown_path_in_the_admin_is_an_html_page(client, db):
    admin = get_user_model().objects.create_superuser("root@example.com", "a long password")
    client.force_login(admin)

    response = client.get("/admin/nothing/here/")

    assert response.status_code == 404
    assert b"<h1>Page not found</h1>" in response.content


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/notes", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("/notes/6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52", {"GET", "HEAD", "PATCH", "OPTIONS"}),
    ],
)
def test_options_lists_the_allowed_methods(client, notes, path, allowed):
    response = client.options(f"/api/v1{path}")

    assert (response.status_code, response.content) == (204, b"")
    assert set(response["Allow"].split(", ")) == allowed
