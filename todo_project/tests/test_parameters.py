"""An unknown, repeated or invalid query parameter is refused by name."""

import pytest

from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID


def test_a_parameter_filters_the_list(notes_alice):
    for rank in (1, 2):
        notes_alice("post", "/notes", {"title": f"rank {rank}", "rank": rank})

    assert [note["rank"] for note in notes_alice("get", "/notes?rank=2").json()["results"]] == [2]


@pytest.mark.parametrize(
    ("query", "field", "constraint"),
    [
        ("ranks=1", "ranks", "unknown"),
        ("offset=0", "offset", "unknown"),
        ("format=html", "format", "unknown"),
        ("rank=1&rank=2", "rank", "repeated"),
        ("rank=one", "rank", "invalid"),
        ("rank=", "rank", "invalid"),
        ("limit=0", "limit", "min_value"),
        ("limit=201", "limit", "max_value"),
        ("limit=-1", "limit", "min_value"),
        ("limit=1e9", "limit", "invalid"),
        ("limit=1_0", "limit", "invalid"),
        ("limit=\u0665", "limit", "invalid"),
        ("limit=%201", "limit", "invalid"),
        ("limit=" + "9" * 5000, "limit", "max_string_length"),
        ("ordering=owner", "ordering", "invalid_choice"),
        ("ordering=--rank", "ordering", "invalid_choice"),
        ("ordering=rank,title", "ordering", "invalid_choice"),
        ("q=%ff", "q", "encoding"),
        ("q=%00", "q", "null_characters_not_allowed"),
        ("q=", "q", "blank"),
        ("%00=1", "\x00", "unknown"),
    ],
)
def test_an_invalid_parameter_is_refused_by_name(notes_alice, query, field, constraint):
    response = notes_alice("get", f"/notes?{query}")

    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)


def test_all_invalid_parameters_are_reported_together(notes_alice):
    error = assert_error(notes_alice("get", "/notes?limit=0&colour=red"), 400, "VALIDATION_ERROR")

    assert [each["field"] for each in error["details"]["errors"]] == ["limit", "colour"]


def test_the_error_of_an_unknown_parameter_lists_the_allowed_ones(notes_alice):
    error = assert_error(notes_alice("get", "/notes?colour=red"), 400, "VALIDATION_ERROR")

    assert error["message"] == "Unknown query parameter 'colour'. Allowed: limit, cursor, ordering, rank, q."


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "Limit must be at least 1."),
        ("limit=201", "Limit must be at most 200."),
        ("limit=ten", "Limit must be a whole number."),
        ("rank=1&rank=2", "Rank must be sent only once."),
        ("q=%ff", "Q must be UTF-8."),
    ],
)
def test_the_message_says_what_the_parameter_may_be(notes_alice, query, message):
    error = assert_error(notes_alice("get", f"/notes?{query}"), 400, "VALIDATION_ERROR")

    assert error["message"] == message


@pytest.mark.parametrize(("method", "path"), [("post", "/notes"), ("patch", f"/notes/{UNKNOWN_ID}")])
def test_a_parameter_of_the_list_is_refused_in_a_write(notes_alice, method, path):
    response = notes_alice(method, f"{path}?rank=1", {"title": "milk"})

    assert_error(response, 400, "VALIDATION_ERROR", field="rank")


@pytest.mark.parametrize("path", ["/notes", "/notes/"])
def test_a_trailing_slash_is_optional(notes_alice, path):
    response = notes_alice("post", path, {"title": "milk"})

    assert response.status_code == 201


def test_two_trailing_slashes_are_404(notes_alice):
    assert_error(notes_alice("get", "/notes//"), 404, "NOT_FOUND")


def test_an_id_may_be_in_upper_case(notes_alice):
    note = notes_alice("post", "/notes", {"title": "milk"}).json()

    assert notes_alice("get", f"/notes/{note['id'].upper()}").json() == note
