"""The field `repeat`: what is accepted, what it becomes, and what a change of it means."""

import uuid

import pytest

from tests.support.assertions import assert_error
from tests.support.repeating import DAILY, MONTHLY, WEEKLY, next_of, open_occurrences, post
from tests.support.tasks import create_task


def patch(caller, task, **fields):
    response = caller("patch", f"/tasks/{task['id']}", fields)
    assert response.status_code == 200, response.content
    return response.json()


def test_what_the_due_day_implies_is_filled_in(as_alice):
    task = create_task(as_alice, due_date="2999-01-31", repeat={"rule": "freq=monthly;interval=1"})

    assert task["repeat"] == {"rule": "FREQ=MONTHLY;BYMONTHDAY=31", "from": "due", "anchor": "2999-01-31"}
    assert task["series"] == task["id"]
    assert as_alice("get", f"/tasks/{task['id']}").json() == task


def test_from_completion_the_day_of_completion_implies_the_rest(as_alice):
    task = create_task(as_alice, due_date="2999-01-31", repeat={**MONTHLY, "from": "completion"})

    assert task["repeat"] == {"rule": "FREQ=MONTHLY", "from": "completion", "anchor": "2999-01-31"}


def test_a_task_without_repeat_has_no_series(as_alice):
    task = create_task(as_alice)

    assert (task["repeat"], task["series"]) == (None, None)


@pytest.mark.parametrize("fields", [{"repeat": DAILY}, {"repeat": {**DAILY, "from": "completion"}}])
def test_a_task_begins_to_repeat_by_patch(as_alice, fields):
    task = patch(as_alice, create_task(as_alice, due_date="2999-01-31"), **fields)

    assert task["repeat"]["anchor"] == "2999-01-31"
    assert task["repeat"]["from"] == fields["repeat"].get("from", "due")
    assert task["series"] == task["id"]


def test_null_ends_the_repetition_and_keeps_the_series(as_alice):
    task = patch(as_alice, create_task(as_alice, due_date="2999-01-31", repeat=DAILY), repeat=None)

    assert (task["repeat"], task["series"]) == (None, task["id"])
    post(as_alice, task, "complete")
    assert open_occurrences(as_alice, task) == []


@pytest.mark.parametrize("fields", [{"title": "x"}, {"due_date": None}])
def test_a_repeating_task_is_due(as_alice, fields):
    task = create_task(as_alice, due_date="2999-01-31", repeat=DAILY)
    method = "put" if "title" in fields else "patch"
    response = as_alice(method, f"/tasks/{task['id']}", fields)

    error = assert_error(response, 400, "VALIDATION_ERROR", field="due_date", constraint="without_due")
    assert "send repeat as null" in error["message"]
    assert patch(as_alice, task, due_date=None, repeat=None)["due_date"] is None


def test_put_keeps_the_repetition(as_alice):
    task = create_task(as_alice, due_date="2999-01-31", repeat=DAILY)
    replaced = as_alice("put", f"/tasks/{task['id']}", {"title": "x", "due_date": "2999-02-03"}).json()

    assert (replaced["repeat"], replaced["series"]) == (task["repeat"], task["series"])


@pytest.mark.parametrize("fields", [{}, {"due_zone": "Europe/Berlin"}])
def test_a_repeating_time_has_a_zone_by_default_that_of_the_user(as_alice, fields):
    as_alice("patch", "/me", {"time_zone": "Pacific/Kiritimati"})
    task = create_task(as_alice, due_at="2999-01-31T12:00:00Z", repeat=WEEKLY, **fields)

    assert task["due_zone"] == fields.get("due_zone", "Pacific/Kiritimati")
    assert task["repeat"]["anchor"] == ("2999-01-31" if fields else "2999-02-01")
    assert patch(as_alice, task, due_zone=None)["due_zone"] == "Pacific/Kiritimati"


def test_a_day_can_become_a_time(as_alice):
    task = create_task(as_alice, due_date="2999-01-31", repeat=DAILY)
    task = patch(as_alice, task, due_date=None, due_at="2999-02-01T09:00:00Z")

    assert (task["due_zone"], task["repeat"]["anchor"]) == ("UTC", "2999-01-31")
    post(as_alice, task, "complete")
    following = next_of(as_alice, task)
    assert (following["due_at"], following["due_zone"]) == ("2999-02-01T09:00:00.000000Z", "UTC")


def test_both_due_forms_are_rejected(as_alice):
    task = create_task(as_alice, due_date="2999-01-31", repeat=DAILY)
    response = as_alice("patch", f"/tasks/{task['id']}", {"due_at": "2999-01-31T09:00:00Z"})

    assert_error(response, 400, "VALIDATION_ERROR", field="due_at", constraint="exclusive")


@pytest.mark.parametrize(
    ("repeat", "field", "words"),
    [
        ({"rule": "FREQ=HOURLY"}, "repeat.rule", "FREQ must be one of DAILY, WEEKLY, MONTHLY, YEARLY."),
        ({"rule": "INTERVAL=2"}, "repeat.rule", "FREQ"),
        ({"rule": "FREQ=DAILY;INTERVAL=0"}, "repeat.rule", "INTERVAL must be from 1 to 999."),
        ({"rule": "FREQ=WEEKLY;BYDAY=XX"}, "repeat.rule", "BYDAY"),
        ({"rule": "FREQ=MONTHLY;BYDAY=6MO"}, "repeat.rule", "BYDAY"),
        ({"rule": "FREQ=MONTHLY;BYMONTHDAY=32"}, "repeat.rule", "BYMONTHDAY"),
        ({"rule": "FREQ=YEARLY;BYMONTHDAY=1"}, "repeat.rule", "BYMONTH"),
        ({"rule": "FREQ=DAILY;COUNT=0"}, "repeat.rule", "COUNT must be from 1 to 999."),
        ({"rule": "FREQ=DAILY;COUNT=2;UNTIL=29990201"}, "repeat.rule", "COUNT"),
        ({"rule": "FREQ=DAILY;UNTIL=20250101"}, "repeat.rule", "UNTIL must not be before the due day."),
        ({"rule": "FREQ=DAILY;UNTIL=29990201T000000Z"}, "repeat.rule", "UNTIL must be a day"),
        ({"rule": "FREQ=DAILY;BYHOUR=9"}, "repeat.rule", "BYHOUR"),
        ({"rule": ""}, "repeat.rule", "blank"),
        ({"rule": "x" * 101}, "repeat.rule", "100"),
        ({"rule": 7}, "repeat.rule", "string"),
        ({}, "repeat.rule", "required"),
        ({"from": "due"}, "repeat.rule", "required"),
        ({"rule": "FREQ=DAILY", "from": "start"}, "repeat.from", "due, completion"),
        ({"rule": "FREQ=DAILY", "from": None}, "repeat.from", "null"),
        ({"rule": "FREQ=DAILY", "anchor": "2999-01-31"}, "repeat.anchor", "set by the server"),
        ({"rule": "FREQ=DAILY", "every": 2}, "repeat.every", "Unknown"),
        ("FREQ=DAILY", "repeat", "object"),
        ([], "repeat", "object"),
    ],
)
@pytest.mark.parametrize("method", ["post", "put", "patch", "bulk"])
def test_an_invalid_repetition_is_rejected_with_the_part_at_fault(as_alice, repeat, field, words, method):
    task = create_task(as_alice, due_date="2999-01-31")
    body = {"title": "x", "due_date": "2999-01-31", "repeat": repeat}
    operation = {"op": "update", "id": task["id"], "data": {"repeat": repeat}}
    requests = {
        "post": ("post", "/tasks", body),
        "put": ("put", f"/tasks/{task['id']}", body),
        "patch": ("patch", f"/tasks/{task['id']}", {"repeat": repeat}),
        "bulk": (
            "post",
            "/bulk",
            {"operations": [operation]},
        ),
    }
    path = "operations.0." if method == "bulk" else ""
    error = assert_error(as_alice(*requests[method]), 400, "VALIDATION_ERROR", field=path + field)

    assert words in error["message"]
    assert as_alice("get", f"/tasks/{task['id']}").json() == task


def test_a_task_without_due_cannot_repeat(as_alice):
    response = as_alice("post", "/tasks", {"title": "x", "repeat": DAILY})

    assert_error(response, 400, "VALIDATION_ERROR", field="repeat", constraint="without_due")


def test_series_is_set_by_the_server(as_alice):
    response = as_alice("post", "/tasks", {"title": "x", "series": str(uuid.uuid4())})

    assert_error(response, 400, "VALIDATION_ERROR", field="series", constraint="read_only")


# Moving one occurrence, and the series


def test_moving_an_occurrence_does_not_move_the_series(as_alice):
    task = create_task(as_alice, due_date="2999-01-07", start_date="2999-01-05", repeat=WEEKLY)
    moved = patch(as_alice, task, due_date="2999-01-09", start_date="2999-01-08")
    assert moved["repeat"] == task["repeat"]
    post(as_alice, moved, "complete")

    following = next_of(as_alice, task)
    assert (following["due_date"], following["start_date"]) == ("2999-01-14", "2999-01-13")
    assert following["repeat"]["anchor"] == "2999-01-14"


def test_sending_repeat_moves_the_series(as_alice):
    task = create_task(as_alice, due_date="2999-01-07", repeat=WEEKLY)
    moved = patch(as_alice, task, due_date="2999-01-09", repeat=WEEKLY)

    assert moved["repeat"] == {"rule": "FREQ=WEEKLY;BYDAY=WE", "from": "due", "anchor": "2999-01-09"}
    post(as_alice, moved, "complete")
    following = next_of(as_alice, task)
    assert following["due_date"] == "2999-01-16"


@pytest.mark.parametrize("ended_first", [False, True])
def test_a_series_moved_back_to_earlier_days_is_a_new_one(as_alice, ended_first):
    """Its next occurrence would have the ID of an earlier one, and would not be created."""
    first = create_task(as_alice, due_date="2999-01-01", repeat=DAILY)
    post(as_alice, first, "complete")
    second = next_of(as_alice, first)
    if ended_first:
        patch(as_alice, second, repeat=None)
    second = patch(as_alice, second, due_date="2999-01-01", repeat=DAILY)
    post(as_alice, second, "complete")

    assert second["series"] == second["id"]
    third = next_of(as_alice, second)
    assert third["due_date"] == "2999-01-02"
