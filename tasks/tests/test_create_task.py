"""POST /tasks."""

import pytest

from tasks.ledger.models import Clock
from tasks.models import Task
from tests.support.assertions import assert_error
from tests.support.tasks import create_task

FIELDS = [
    "id", "user_id", "title", "description", "completed", "completed_at", "priority", "project", "parent",
    "position", "labels", "due_date", "due_at", "due_zone", "start_date", "repeat", "series",
    "created_at", "updated_at", "deleted_at", "version",
]  # fmt: skip


def test_a_title_is_enough_to_create_a_task(as_alice, alice):
    response = as_alice("post", "/tasks", {"title": "milk"})

    task = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"/api/v1/tasks/{task['id']}"
    assert response["ETag"] == '"1"'
    assert list(task) == FIELDS
    assert task["title"] == "milk"
    assert (task["description"], task["completed"], task["priority"]) == ("", False, 0)
    assert (task["completed_at"], task["due_at"], task["deleted_at"]) == (None, None, None)
    assert (task["project"], task["parent"], task["labels"]) == (None, None, [])
    assert task["created_at"] == task["updated_at"]
    assert as_alice("get", f"/tasks/{task['id']}").json() == task
    assert Task.objects.get().owner_id == alice.pk


@pytest.mark.parametrize("prefix", ["/tasks/", "/users/me/tasks", "/users/me/tasks/"])
def test_the_location_is_the_url_of_the_task(as_alice, prefix):
    location = as_alice("post", prefix, {"title": "milk"})["Location"]

    assert location.startswith(f"/api/v1{prefix.rstrip('/')}/")
    assert as_alice("get", location.removeprefix("/api/v1")).json()["title"] == "milk"


def test_a_task_can_be_created_with_a_value_for_every_field(as_alice):
    task = create_task(
        as_alice,
        "  milk  ",
        description=" two\nlines ",
        completed=True,
        priority=3,
        due_at="2030-01-31T09:00:00.5+02:00",
    )

    assert task["title"] == "milk"
    assert task["description"] == " two\nlines "
    assert task["completed"] is True
    assert task["completed_at"] == task["created_at"]
    assert task["priority"] == 3
    assert task["due_at"] == "2030-01-31T07:00:00.500000Z"


def test_each_task_of_an_owner_gets_the_next_version(as_alice, as_bob):
    assert [create_task(as_alice)["version"] for _ in range(3)] == [1, 2, 3]
    assert create_task(as_bob)["version"] == 1


@pytest.mark.parametrize(
    "title", ["a", "x" * 500, "  " + "x" * 500 + "  ", "\U0001f95b" * 500, "0", "<b>\"'"]
)
def test_a_title_of_1_to_500_characters_is_accepted(as_alice, title):
    assert create_task(as_alice, title)["title"] == title.strip()


INVALID = [
    ({}, "title", "required"),
    ({"title": None}, "title", "null"),
    ({"title": ""}, "title", "blank"),
    ({"title": " \t\n "}, "title", "blank"),
    ({"title": "x" * 501}, "title", "max_length"),
    ({"title": ["milk"]}, "title", "invalid"),
    ({"title": True}, "title", "invalid"),
    ({"title": "milk", "description": "x" * 5001}, "description", "max_length"),
    ({"title": "milk", "description": {}}, "description", "invalid"),
    ({"title": "milk", "completed": None}, "completed", "null"),
    ({"title": "milk", "completed": "perhaps"}, "completed", "invalid"),
    ({"title": "milk", "completed": ""}, "completed", "invalid"),
    ({"title": "milk", "completed": []}, "completed", "invalid"),
    ({"title": "milk", "priority": None}, "priority", "null"),
    ({"title": "milk", "priority": 4}, "priority", "invalid_choice"),
    ({"title": "milk", "priority": -1}, "priority", "invalid_choice"),
    ({"title": "milk", "priority": ""}, "priority", "invalid_choice"),
    ({"title": "milk", "priority": 1.5}, "priority", "invalid_choice"),
    ({"title": "milk", "due_at": ""}, "due_at", "invalid"),
    ({"title": "milk", "due_at": "tomorrow"}, "due_at", "invalid"),
    ({"title": "milk", "due_at": "2030-01-31"}, "due_at", "offset"),
    ({"title": "milk", "due_at": "2030-01-31T09:00:00"}, "due_at", "offset"),
    ({"title": "milk", "due_at": "2030-02-30T09:00:00Z"}, "due_at", "invalid"),
    ({"title": "milk", "due_at": "0001-01-01T00:00:00+14:00"}, "due_at", "overflow"),
    ({"title": "milk", "due_at": 1900000000}, "due_at", "invalid"),
    ({"title": "milk", "colour": "red"}, "colour", "unknown"),
    *(({"title": "milk", name: None}, name, "read_only") for name in FIELDS if name.endswith("ed_at")),
    ({"title": "milk", "id": "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52"}, "id", "read_only"),
    ({"title": "milk", "version": 7}, "version", "read_only"),
    ({"title": "milk", "position": "a0"}, "position", "read_only"),
    ({"title": "milk", "owner": "me"}, "owner", "unknown"),
    ([], None, "invalid"),
    ("milk", None, "invalid"),
]


@pytest.mark.parametrize(("body", "field", "constraint"), INVALID)
def test_an_invalid_body_is_refused(as_alice, body, field, constraint):
    error = assert_error(as_alice("post", "/tasks", body), 400, "VALIDATION_ERROR")

    assert (error["details"]["field"], error["details"]["constraint"]) == (field, constraint)
    assert not Task.objects.exists()
    assert not Clock.objects.exists()


@pytest.mark.parametrize("due_at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_earliest_and_latest_due_times_are_accepted(as_alice, due_at):
    task = create_task(as_alice, due_at=due_at)

    assert as_alice("get", f"/tasks/{task['id']}").json()["due_at"][:19] == due_at[:19]
    for ordering in ("due", "-due"):
        assert as_alice("get", f"/tasks?ordering={ordering}").json()["results"] == [task]


def test_all_errors_are_returned_together(as_alice):
    error = assert_error(as_alice("post", "/tasks", {"priority": 9}), 400, "VALIDATION_ERROR")
    assert [each["field"] for each in error["details"]["errors"]] == ["title", "priority"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tasks", {"title": "milk"}),
        ("/bulk", {"operations": [{"op": "create", "data": {"title": "milk"}}]}),
    ],
)
def test_if_match_is_refused_when_creating(as_alice, path, body):
    response = as_alice("post", path, body, **{"If-Match": '"1"'})

    assert_error(response, 400, "VALIDATION_ERROR", field="If-Match")
    assert not Task.objects.exists()


def test_a_retry_with_the_same_idempotency_key_creates_no_second_task(as_alice):
    first, again = (as_alice("post", "/tasks", {"title": "milk"}, **{"Idempotency-Key": "k"}) for _ in "12")

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert (again["ETag"], again["Location"]) == (first["ETag"], first["Location"])
    assert Task.objects.count() == 1
