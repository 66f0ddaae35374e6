"""A query parameter is known, sent once and of its type, or refused by name."""

import pytest

from tests.support.assertions import assert_error

NOTES = "/api/v1/notes"


def test_a_known_parameter_filters(as_alice):
    for rank in (1, 2):
        as_alice.post(NOTES, {"title": f"rank {rank}", "rank": rank}, content_type="application/json")

    assert [note["rank"] for note in as_alice.get(f"{NOTES}?rank=2").json()["results"]] == [2]


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
def test_anything_else_is_refused_by_name(as_alice, query, field, constraint):
    error = assert_error(as_alice.get(f"{NOTES}?{query}"), 400, "VALIDATION_ERROR", field=field)

    assert error["details"]["constraint"] == constraint


def test_all_wrong_parameters_are_told_at_once(as_alice):
    error = assert_error(as_alice.get(f"{NOTES}?limit=0&colour=red"), 400, "VALIDATION_ERROR")

    assert [one["field"] for one in error["details"]["errors"]] == ["limit", "colour"]


def test_an_unknown_parameter_is_told_the_known_ones(as_alice):
    error = assert_error(as_alice.get(f"{NOTES}?colour=red"), 400, "VALIDATION_ERROR")

    assert error["message"] == "Unknown query parameter. Allowed: limit, cursor, ordering, rank, q."


@pytest.mark.parametrize("method", ["post", "patch"])
def test_a_write_takes_no_parameters_unless_it_names_them(as_alice, method):
    path = NOTES if method == "post" else f"{NOTES}/6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52"

    response = getattr(as_alice, method)(f"{path}?rank=1", {"title": "milk"}, content_type="application/json")

    assert_error(response, 400, "VALIDATION_ERROR", field="rank")


@pytest.mark.parametrize("path", [NOTES, f"{NOTES}/"])
def test_a_trailing_slash_makes_no_difference(as_alice, path):
    response = as_alice.post(path, {"title": "milk"}, content_type="application/json")

    assert response.status_code == 201


def test_two_trailing_slashes_are_another_path(as_alice):
    assert_error(as_alice.get(f"{NOTES}//"), 404, "NOT_FOUND")


def test_an_id_in_capitals_is_the_same_id(as_alice):
    note = as_alice.post(NOTES, {"title": "milk"}, content_type="application/json").json()

    assert as_alice.get(f"{NOTES}/{note['id'].upper()}").json() == note
