"""A body holds what the client may set, and nothing is ignored."""

import pytest

from tests.support.assertions import assert_error

NOTES = "/api/v1/notes"


def post(client, **body):
    return client.post(NOTES, body, content_type="application/json")


def test_it_works(as_alice):
    response = post(as_alice, title="milk", due_at="2030-01-31T09:00:00+02:00")

    assert response.status_code == 201
    assert response.json()["due_at"] == "2030-01-31T07:00:00Z"


def test_an_unknown_field_is_refused_by_name(as_alice):
    error = assert_error(post(as_alice, title="milk", titel="bread"), 400, "VALIDATION_ERROR", field="titel")

    assert error["details"]["constraint"] == "unknown"


@pytest.mark.parametrize("field", ["id", "version"])
def test_a_server_owned_field_is_refused_by_name(as_alice, field):
    error = assert_error(post(as_alice, title="milk", **{field: 1}), 400, "VALIDATION_ERROR", field=field)

    assert error["details"]["constraint"] == "read_only"


@pytest.mark.parametrize(
    ("due_at", "constraint"),
    [
        ("2030-01-31T09:00:00", "offset"),
        ("2030-01-31 09:00", "offset"),
        ("2030-01-31", "offset"),
        ("2030-02-31T09:00:00Z", "invalid"),
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
def test_a_time_that_is_no_moment_is_refused(as_alice, due_at, constraint):
    error = assert_error(post(as_alice, title="milk", due_at=due_at), 400, "VALIDATION_ERROR", field="due_at")

    assert error["details"]["constraint"] == constraint


def test_a_strangers_things_do_not_exist(as_alice, as_bob):
    note = post(as_alice, title="milk").json()

    hers = as_bob.get(f"{NOTES}/{note['id']}", headers={"X-Request-ID": "same"})
    nobodys = as_bob.get(f"{NOTES}/6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52", headers={"X-Request-ID": "same"})

    assert_error(hers, 404, "NOT_FOUND")
    assert hers.content == nobodys.content


def test_what_one_caller_may_see_is_kept_from_shared_caches(as_alice):
    response = as_alice.get(NOTES)

    assert response["Cache-Control"] == "private, no-cache"
    assert "Authorization" in response["Vary"]
