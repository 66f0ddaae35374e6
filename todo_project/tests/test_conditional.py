"""If-None-Match saves sending an unchanged note again; If-Match prevents lost updates."""

from functools import partial

import pytest

from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.threads import run_each


@pytest.fixture
def note(notes_alice):
    return notes_alice("post", "/notes", {"title": "milk"}).json()


@pytest.fixture
def path(note):
    return f"/notes/{note['id']}"


def rename(caller, path, if_match, title="bread"):
    return caller("patch", path, {"title": title}, **{"If-Match": if_match})


def test_a_note_has_a_strong_etag_that_changes_with_it(notes_alice, path):
    first = notes_alice("get", path)["ETag"]
    second = notes_alice("patch", path, {"title": "bread"})["ETag"]

    assert (first, second) == ('"1"', '"2"')
    assert notes_alice("get", path)["ETag"] == second


@pytest.mark.parametrize("if_none_match", ['"1"', 'W/"1"', '"7", "1"', "*"])
def test_a_get_whose_if_none_match_matches_is_304(notes_alice, path, if_none_match):
    response = notes_alice("get", path, **{"If-None-Match": if_none_match})

    assert response.status_code == 304
    assert response.content == b""
    assert response["ETag"] == '"1"'


@pytest.mark.parametrize("if_none_match", ['"2"', "1", '"1', "nonsense", ""])
def test_a_get_whose_if_none_match_does_not_match_returns_the_note(notes_alice, path, note, if_none_match):
    response = notes_alice("get", path, **{"If-None-Match": if_none_match})

    assert response.json() == note


@pytest.mark.parametrize("if_match", ['"1"', '"1", "7"', "*"])
def test_a_write_whose_if_match_matches_succeeds(notes_alice, path, if_match):
    assert rename(notes_alice, path, if_match).json()["title"] == "bread"


@pytest.mark.parametrize("if_match", ['"2"', 'W/"1"', '"one"', '"99999999999999999999"', '"01"', '"١"'])
def test_a_write_whose_if_match_does_not_match_returns_the_current_note(notes_alice, path, note, if_match):
    error = assert_error(rename(notes_alice, path, if_match), 412, "PRECONDITION_FAILED")

    assert error["details"]["current"] == note
    assert notes_alice("get", path).json() == note


@pytest.mark.parametrize("if_match", ["1", "", "nonsense", '"1'])
def test_an_if_match_that_is_no_etag_is_refused(notes_alice, path, note, if_match):
    assert_error(rename(notes_alice, path, if_match), 400, "VALIDATION_ERROR", field="If-Match")

    assert notes_alice("get", path).json() == note


def test_a_write_with_if_match_to_a_missing_note_is_404(notes_alice):
    assert_error(rename(notes_alice, f"/notes/{UNKNOWN_ID}", '"1"'), 404, "NOT_FOUND")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_one_of_two_concurrent_writers_with_the_same_etag_succeeds(notes_alice, path):
    for number in range(20):
        if_match = notes_alice("get", path)["ETag"]
        responses = run_each(
            *(partial(rename, notes_alice, path, if_match, title=f"{number} {name}") for name in "ab")
        )

        assert sorted(response.status_code for response in responses) == [200, 412]
