"""An unchanged thing is not sent again, and a change that somebody else made is not overwritten."""

import threading

import pytest
from django.db import connection

from tests.support.assertions import assert_error
from tests.support.notes import note_client

NOTES = "/api/v1/notes"


@pytest.fixture
def note(as_alice):
    return as_alice.post(NOTES, {"title": "milk"}, content_type="application/json").json()


@pytest.fixture
def path(note):
    return f"{NOTES}/{note['id']}"


def rename(client, path, title, **headers):
    return client.patch(path, {"title": title}, content_type="application/json", headers=headers)


def test_a_thing_has_a_strong_etag_that_changes_with_it(as_alice, path):
    first = as_alice.get(path)["ETag"]
    second = rename(as_alice, path, "bread")["ETag"]

    assert (first, second) == ('"1"', '"2"')
    assert as_alice.get(path)["ETag"] == second


@pytest.mark.parametrize("held", ['"1"', 'W/"1"', '"7", "1"', "*"])
def test_what_the_client_holds_is_not_sent_again(as_alice, path, held):
    response = as_alice.get(path, headers={"If-None-Match": held})

    assert response.status_code == 304
    assert response.content == b""
    assert response["ETag"] == '"1"'


@pytest.mark.parametrize("held", ['"2"', "1", '"1', "nonsense", ""])
def test_what_the_client_does_not_hold_is_sent(as_alice, path, note, held):
    response = as_alice.get(path, headers={"If-None-Match": held})

    assert response.json() == note


@pytest.mark.parametrize("expected", ['"1"', '"1", "7"', "*"])
def test_a_write_that_expects_the_current_state_is_done(as_alice, path, expected):
    assert rename(as_alice, path, "bread", **{"If-Match": expected}).json()["title"] == "bread"


@pytest.mark.parametrize("expected", ['"2"', 'W/"1"', '"one"', '"99999999999999999999"', '"١"'])
def test_a_write_that_expects_another_state_gets_the_current_one(as_alice, path, note, expected):
    error = assert_error(
        rename(as_alice, path, "bread", **{"If-Match": expected}), 412, "PRECONDITION_FAILED"
    )

    assert error["details"]["current"] == note
    assert as_alice.get(path).json() == note


@pytest.mark.parametrize("expected", ["1", "", "nonsense", '"1'])
def test_an_if_match_that_is_no_etag_is_refused(as_alice, path, note, expected):
    assert_error(
        rename(as_alice, path, "bread", **{"If-Match": expected}), 400, "VALIDATION_ERROR", field="If-Match"
    )

    assert as_alice.get(path).json() == note


def test_a_missing_thing_is_404_and_not_412(as_alice):
    path = f"{NOTES}/6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52"

    assert_error(rename(as_alice, path, "bread", **{"If-Match": '"1"'}), 404, "NOT_FOUND")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_writers_with_one_etag_one_wins_every_time(as_alice, alice, path):
    for number in range(20):
        expected = as_alice.get(path)["ETag"]
        barrier = threading.Barrier(2)
        answers: list[int] = []

        def write(title, expected=expected, barrier=barrier, answers=answers):
            client = note_client(alice)
            barrier.wait()
            answers.append(rename(client, path, title, **{"If-Match": expected}).status_code)
            connection.close()

        writers = [threading.Thread(target=write, args=(f"{number} {name}",)) for name in "ab"]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        assert sorted(answers) == [200, 412]
