"""Every error has one shape, and nothing internal ever leaves."""

import logging

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from django.test import Client

from tests.support.assertions import assert_error

NOTES = "/api/v1/notes"


@pytest.fixture
def note(as_alice):
    return as_alice.post(NOTES, {"title": "milk"}, content_type="application/json").json()


def post(client, body, content_type="application/json"):
    if not isinstance(body, bytes):
        return client.post(NOTES, body, content_type=content_type)
    return client.generic("POST", NOTES, body, content_type)


CRASHES = [
    ("bug", 500, "INTERNAL_ERROR"),
    ("sql", 500, "INTERNAL_ERROR"),
    ("suspicious", 400, "MALFORMED_REQUEST"),
    ("forbidden", 403, "PERMISSION_DENIED"),
]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("kind", ["crash", "plain"])
@pytest.mark.parametrize(("how", "status", "code"), CRASHES)
def test_a_crash_tells_its_code_and_nothing_else(client, notes, settings, kind, how, status, code, debug):
    settings.DEBUG = debug

    response = client.get(f"/api/v1/{kind}/{how}")

    if how == "sql" and connection.vendor == "sqlite":
        status, code = (
            503,
            "SERVICE_UNAVAILABLE",
        )  # SQLite has one error for a bad statement and a bad moment.
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
def test_a_query_that_takes_too_long_is_a_timeout(client, notes, kind):
    with transaction.atomic():
        assert_error(client.get(f"/api/v1/{kind}/timeout"), 504, "QUERY_TIMEOUT")
        transaction.set_rollback(True)


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/nothing", "/api/v2/x", "/api/v1/notes/not-an-id", "/%00"]
)
def test_an_unknown_path_is_404_in_the_shape(client, notes, settings, path, debug):
    settings.DEBUG = debug

    assert_error(client.get(path), 404, "NOT_FOUND")


def test_an_unknown_id_and_an_unknown_path_answer_alike(as_alice):
    missing = as_alice.get(f"{NOTES}/6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52", headers={"X-Request-ID": "same"})
    unknown = as_alice.get("/api/v1/nothing", headers={"X-Request-ID": "same"})

    assert_error(missing, 404, "NOT_FOUND")
    assert missing.content == unknown.content


@pytest.mark.parametrize("debug", [False, True])
def test_a_foreign_host_is_refused_in_the_shape(client, settings, debug):
    settings.DEBUG = debug

    assert_error(client.get("/docs", headers={"Host": "evil.example.com"}), 400, "MALFORMED_REQUEST")


def test_no_credentials_are_401_with_a_challenge(client, notes):
    response = client.get(NOTES)

    assert_error(response, 401, "NOT_AUTHENTICATED")
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz"])
def test_a_page_takes_no_post(client, db, path):
    response = client.post(path)

    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "NONSENSE"])
def test_a_method_that_is_not_there_names_those_that_are(as_alice, method):
    response = as_alice.generic(method, NOTES)

    assert_error(response, 405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "GET, HEAD, POST"


def test_an_answer_that_is_not_json_is_not_to_be_had(as_alice):
    assert_error(as_alice.get(NOTES, headers={"Accept": "text/html"}), 406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ";;", "json"],
)
def test_a_body_that_is_not_json_is_refused(as_alice, content_type):
    assert_error(post(as_alice, b"title=milk", content_type), 415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_body_in_another_charset_is_refused(as_alice):
    body = '{"title": "café"}'.encode("latin-1")

    assert_error(post(as_alice, body, "application/json; charset=latin-1"), 415, "UNSUPPORTED_MEDIA_TYPE")


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
def test_a_body_that_cannot_be_read_or_stored_is_malformed(as_alice, body):
    assert_error(post(as_alice, body), 400, "MALFORMED_REQUEST")

    assert as_alice.get(NOTES).json()["results"] == []


def test_a_backslash_before_u0000_is_a_text_like_any_other(as_alice):
    response = post(as_alice, rb'{"title": "a\\u0000b"}')

    assert response.status_code == 201
    assert response.json()["title"] == r"a\u0000b"


def test_a_body_as_deep_as_allowed_is_stored(as_alice):
    depth = 30
    body = b'{"title": "deep", "extra": ' + b'{"a": ' * depth + b"1" + b"}" * depth + b"}"

    assert post(as_alice, body).status_code == 201


@pytest.mark.parametrize("body", [b"null", b"[]", b'"milk"', b"1", b"true"])
def test_a_body_that_is_no_object_is_invalid_as_a_whole(as_alice, body):
    error = assert_error(post(as_alice, body), 400, "VALIDATION_ERROR")

    assert error["details"]["field"] is None


def test_a_body_over_the_limit_is_too_large(as_alice, settings):
    body = b'{"title": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'

    assert_error(post(as_alice, body), 413, "PAYLOAD_TOO_LARGE")


def test_a_body_of_too_many_values_is_too_large(as_alice):
    many = {"title": "milk", **{f"k{number}": 1 for number in range(10_000)}}

    assert_error(post(as_alice, many), 413, "PAYLOAD_TOO_LARGE")


def test_commas_in_a_text_are_no_values(as_alice):
    error = assert_error(post(as_alice, {"title": "," * 20_000}), 400, "VALIDATION_ERROR", field="title")

    assert error["details"]["constraint"] == "max_length"


def test_a_hundred_errors_are_told_and_no_more(as_alice):
    error = assert_error(post(as_alice, {f"k{number}": 1 for number in range(500)}), 400, "VALIDATION_ERROR")

    assert len(error["details"]["errors"]) == 100


def test_a_validation_error_names_the_field_in_words_and_in_data(as_alice):
    error = assert_error(post(as_alice, {"title": " "}), 400, "VALIDATION_ERROR", field="title")

    assert error["message"] == "Title must not be blank."
    assert error["details"] == {
        "field": "title",
        "constraint": "blank",
        "errors": [{"field": "title", "constraint": "blank", "message": "Title must not be blank."}],
    }


def test_all_validation_errors_are_told_at_once(as_alice):
    error = assert_error(post(as_alice, {"rank": "x", "due_at": "soon"}), 400, "VALIDATION_ERROR")

    told = {(one["field"], one["constraint"]) for one in error["details"]["errors"]}
    assert told == {("title", "required"), ("rank", "invalid"), ("due_at", "invalid")}


def test_a_broken_check_is_a_validation_error_by_the_constraints_name(as_alice):
    error = assert_error(post(as_alice, {"title": "milk", "rank": -1}), 400, "VALIDATION_ERROR", field="rank")

    assert error["details"]["constraint"] == "negative"
    assert error["message"] == "Rank may not be negative."


def test_a_broken_uniqueness_is_a_conflict(as_alice, note):
    error = assert_error(post(as_alice, {"title": "milk"}), 409, "CONFLICT")

    assert error["details"]["constraint"] == "unique"


@pytest.mark.postgres
def test_a_value_out_of_the_columns_range_is_invalid(as_alice):
    assert_error(post(as_alice, {"title": "milk", "rank": 10**12}), 400, "VALIDATION_ERROR")


def test_a_refused_write_leaves_nothing_behind(as_alice, note):
    path = f"{NOTES}/{note['id']}"

    response = as_alice.patch(path, {"title": "bread", "rank": -1}, content_type="application/json")

    assert_error(response, 400, "VALIDATION_ERROR")
    assert as_alice.get(path).json() == note


def test_the_database_itself_holds_the_constraint(alice):
    from tests.support.notes import Note

    with pytest.raises(IntegrityError):
        Note.objects.create(owner=alice, title="milk", rank=-1)


@pytest.mark.parametrize("debug", [False, True])
def test_the_admin_keeps_its_pages(client, notes, settings, debug):
    settings.DEBUG = debug

    response = client.get("/admin/plain/bug")

    assert response.status_code == 500
    assert response["Content-Type"].startswith("text/html")


def test_a_failed_csrf_check_stays_a_page_in_the_admin(db):
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "x", "password": "y"})

    assert response.status_code == 403
    assert response["Content-Type"].startswith("text/html")


def test_a_missing_page_of_the_admin_says_so_in_html(client, db):
    admin = get_user_model().objects.create_superuser("root@example.com", "a long password")
    client.force_login(admin)

    response = client.get("/admin/nothing/here/")

    assert response.status_code == 404
    assert b"<h1>Page not found</h1>" in response.content
