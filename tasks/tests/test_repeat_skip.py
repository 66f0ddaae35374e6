"""POST /tasks/{id}/skip."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.repeating import WEEKLY, next_of, post, repeating
from tests.support.tasks import create_task


def skip(caller, task, **body):
    return caller("post", f"/tasks/{task['id']}/skip", body or {"due_date": task["due_date"]})


def test_the_task_moves_on_without_being_completed(as_alice):
    task = repeating(as_alice, repeat=WEEKLY, start_date="2999-01-29")
    skipped = skip(as_alice, task).json()

    changed = {
        "due_date": "2999-02-07",
        "start_date": "2999-02-05",
        "repeat": {**task["repeat"], "anchor": "2999-02-07"},
    }
    assert {**skipped, "updated_at": "", "version": 0} == {**task, **changed, "updated_at": "", "version": 0}
    assert as_alice("get", f"/tasks/{task['id']}").json() == skipped


def test_a_retry_changes_nothing(as_alice):
    task = repeating(as_alice)
    first = skip(as_alice, task)

    assert skip(as_alice, task).content == first.content


def test_a_moved_occurrence_is_named_by_the_day_that_it_was_moved_to(as_alice):
    task = repeating(as_alice, repeat=WEEKLY)
    moved = as_alice("patch", f"/tasks/{task['id']}", {"due_date": "2999-02-02"}).json()

    assert skip(as_alice, moved, due_date="2999-01-31").json() == moved
    assert skip(as_alice, moved).json()["due_date"] == "2999-02-07"


def test_a_time_is_named_by_its_day_in_the_zone_of_the_task(as_alice):
    times = {"due_at": "2999-01-31T12:00:00Z", "due_zone": "Pacific/Kiritimati"}
    task = repeating(as_alice, due_date=None, **times)
    skipped = skip(as_alice, task, due_date="2999-02-01").json()

    assert (skipped["due_at"], skipped["repeat"]["anchor"]) == ("2999-02-01T12:00:00.000000Z", "2999-02-02")


def test_days_that_have_passed_are_skipped_together(as_alice):
    today = timezone.now().date()
    task = repeating(as_alice, due_date=(today - timedelta(days=9)).isoformat())

    assert skip(as_alice, task).json()["due_date"] == (today + timedelta(days=1)).isoformat()


def test_skipping_counts(as_alice):
    task = repeating(as_alice, repeat={"rule": "FREQ=DAILY;COUNT=2"})
    skipped = skip(as_alice, task).json()

    assert skipped["repeat"]["rule"] == "FREQ=DAILY;COUNT=1"
    error = assert_error(skip(as_alice, skipped), 409, "CONFLICT")
    assert error["message"] == "This is the last occurrence. Complete the task, or delete it."
    assert as_alice("get", f"/tasks/{task['id']}").json() == skipped


def test_completing_after_skipping_continues_from_there(as_alice):
    task = repeating(as_alice)
    post(as_alice, skip(as_alice, task).json(), "complete")

    assert next_of(as_alice, task)["due_date"] == "2999-02-02"


@pytest.mark.parametrize("state", ["without repeat", "completed"])
def test_a_task_that_does_not_repeat_is_a_conflict(as_alice, state):
    task = create_task(as_alice, due_date="2999-01-31")
    if state == "completed":
        parent = create_task(as_alice)
        task = repeating(as_alice, parent=parent["id"])
        post(as_alice, parent, "complete")
    error = assert_error(skip(as_alice, task), 409, "CONFLICT")

    assert (
        error["message"]
        == {
            "without repeat": "This task does not repeat.",
            "completed": "This task is completed.",
        }[state]
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, "due_date"),
        ({}, "due_date"),
        ({"due_date": None}, "due_date"),
        ({"due_date": "2999-02-30"}, "due_date"),
        ({"due_date": "2999-01-31T09:00:00Z"}, "due_date"),
        ({"due_date": "2999-01-31", "times": 2}, "times"),
    ],
)
def test_an_invalid_body_is_rejected(as_alice, body, field):
    task = repeating(as_alice)

    assert_error(as_alice("post", f"/tasks/{task['id']}/skip", body), 400, "VALIDATION_ERROR", field=field)
    assert as_alice("get", f"/tasks/{task['id']}").json() == task


def test_a_bulk_request_skips_and_names_the_operation_of_an_error(as_alice):
    first, second = repeating(as_alice), create_task(as_alice)
    operations = [
        {"op": "skip", "id": each["id"], "data": {"due_date": "2999-01-31"}} for each in (first, second)
    ]
    [skipped] = as_alice("post", "/bulk", {"operations": operations[:1]}).json()["results"]

    assert skipped["due_date"] == "2999-02-01"
    response = as_alice("post", "/bulk", {"operations": operations})
    assert_error(response, 409, "CONFLICT", field="operations.1.due_date", constraint="conflict")
    missing = [{"op": "skip", "id": first["id"]}]
    response = as_alice("post", "/bulk", {"operations": missing})
    assert_error(response, 400, "VALIDATION_ERROR", field="operations.0.due_date")


def test_an_unknown_id_is_not_found(as_alice):
    assert_error(skip(as_alice, {"id": UNKNOWN_ID}, due_date="2999-01-31"), 404, "NOT_FOUND")


def test_if_match_is_compared(as_alice):
    task = repeating(as_alice)
    path, body = f"/tasks/{task['id']}/skip", {"due_date": "2999-01-31"}

    assert_error(as_alice("post", path, body, **{"If-Match": '"0"'}), 412, "PRECONDITION_FAILED")
    assert as_alice("post", path, body, **{"If-Match": f'"{task["version"]}"'}).status_code == 200


def test_a_dry_run_changes_nothing(as_alice):
    task = repeating(as_alice)
    response = as_alice("post", f"/tasks/{task['id']}/skip?dry_run=true", {"due_date": "2999-01-31"})

    assert response.json()["due_date"] == "2999-02-01"
    assert as_alice("get", f"/tasks/{task['id']}").json() == task
