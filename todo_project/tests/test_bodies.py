"""A request body contains only fields that the client may set."""

import pytest

from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID


def test_a_time_in_a_body_is_returned_in_utc(notes_alice):
    response = notes_alice("post", "/notes", {"title": "milk", "due_at": "2030-01-31T09:00:00+02:00"})

    assert response.status_code == 201
    assert response.json()["due_at"] == "2030-01-31T07:00:00Z"


@pytest.mark.parametrize(
    ("field", "constraint"), [("titel", "unknown"), ("id", "read_only"), ("version", "read_only")]
)
def test_an_unknown_or_read_only_field_is_refused_by_name(notes_alice, field, constraint):
    response = notes_alice("post", "/notes", {"title": "milk", field: 1})

    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)


def test_an_unknown_field_is_reported_with_the_allowed_ones_and_the_other_errors(notes_alice):
    error = assert_error(
        notes_alice("post", "/notes", {"titel": "milk", "rank": "x"}), 400, "VALIDATION_ERROR"
    )

    assert error["message"].startswith("Unknown field 'titel'. Allowed: title, ")
    assert [each["field"] for each in error["details"]["errors"]] == ["titel", "title", "rank"]


@pytest.mark.parametrize("body", [[], "milk", 5])
def test_a_body_that_is_not_an_object_is_refused(notes_alice, body):
    error = assert_error(notes_alice("post", "/notes", body), 400, "VALIDATION_ERROR")

    assert error["message"] == "The body must be an object."


@pytest.mark.parametrize(
    ("due_at", "constraint"),
    [
        ("2030-01-31T09:00:00", "offset"),
        ("2030-01-31 09:00", "offset"),
        ("2030-01-31", "offset"),
        ("2030-02-31T09:00:00Z", "invalid"),
        ("2030-01-31T09:00:00 01:00", "plus"),
        ("tomorrow", "invalid"),
        (1893456000, "invalid"),
        ("9999-12-31T23:59:59-23:59", "overflow"),
        ("0001-01-01T00:00:00+23:59", "overflow"),
        ({}, "invalid"),
        ([], "invalid"),
        (True, "invalid"),
        ("", "invalid"),
    ],
)
def test_an_invalid_time_is_refused(notes_alice, due_at, constraint):
    response = notes_alice("post", "/notes", {"title": "milk", "due_at": due_at})

    assert_error(response, 400, "VALIDATION_ERROR", field="due_at", constraint=constraint)


def test_a_note_of_another_user_is_answered_like_a_missing_one(notes_alice, notes_bob):
    note = notes_alice("post", "/notes", {"title": "milk"}).json()

    foreign, missing = (
        notes_bob("get", f"/notes/{id_}", **{"X-Request-ID": "same"}) for id_ in (note["id"], UNKNOWN_ID)
    )

    assert_error(foreign, 404, "NOT_FOUND")
    assert foreign.content == missing.content


def test_a_response_to_a_signed_in_user_is_not_for_shared_caches(notes_alice):
    response = notes_alice("get", "/notes")

    assert response["Cache-Control"] == "private, no-cache"
    assert response["Vary"] == "Authorization, Origin"
