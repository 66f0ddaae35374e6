"""Completing a repeating task: it stays completed, and the next occurrence is created."""

import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.kinds import TASK
from tasks.ledger.models import Clock
from tasks.ledger.operations import perform_for_owners
from tasks.models import Task
from tests.support.admin_client import TASKS, run_action
from tests.support.assertions import assert_error
from tests.support.follower import Follower
from tests.support.repeating import WEEKLY, next_of, open_occurrences, post, repeating
from tests.support.tasks import create_task, server_entries

pytestmark = pytest.mark.usefixtures("counts_are_compared")

LABEL = {"name": "errand"}


def today(zone="UTC"):
    return timezone.now().astimezone(ZoneInfo(zone)).date()


def days_from(day, number):
    return (day + timedelta(days=number)).isoformat()


def test_the_task_is_completed_and_the_next_occurrence_is_created(as_alice):
    task = repeating(
        as_alice,
        title="Water the plants",
        description="On the balcony, too.",
        priority=2,
        start_date="2999-01-29",
        project=as_alice("post", "/projects", {"name": "Home"}).json()["id"],
        add_labels=[{"name": "garden"}, {"name": "evening"}],
    )
    completed = post(as_alice, task, "complete")
    following = next_of(as_alice, task)

    changed = {"completed", "completed_at", "updated_at", "version", "repeat"}
    assert {name for name in task if completed[name] != task[name]} == changed
    assert (completed["completed"], completed["repeat"]) == (True, None)
    assert following == {
        **task,
        "id": str(uuid.uuid5(uuid.UUID(task["series"]), "2999-02-01")),
        "due_date": "2999-02-01",
        "start_date": "2999-01-30",
        "repeat": {**task["repeat"], "anchor": "2999-02-01"},
        "created_at": completed["completed_at"],
        "updated_at": completed["completed_at"],
        "version": completed["version"] + 1,
    }
    for label in task["labels"]:
        found = as_alice("get", f"/tasks?label={label}&completed=false").json()["results"]
        assert found == [following]


@pytest.mark.parametrize(
    "body",
    [{}, {"title": "x"}, {"due_date": "2999-02-05"}, {"repeat": WEEKLY}, {"add_labels": [{"name": "x"}]}],
)
@pytest.mark.parametrize("method", ["patch", "put", "bulk"])
def test_completing_by_an_update_is_the_same(as_alice, method, body):
    task = repeating(as_alice)
    data = {"completed": True, **body}
    if method == "put":
        data = {"title": "x", "due_date": "2999-01-31", **data}
    requests = {
        "patch": ("patch", f"/tasks/{task['id']}", data),
        "put": ("put", f"/tasks/{task['id']}", data),
        "bulk": ("post", "/bulk", {"operations": [{"op": "update", "id": task["id"], "data": data}]}),
    }
    response = as_alice(*requests[method])
    assert response.status_code == 200, response.content
    completed, following = as_alice("get", f"/tasks/{task['id']}").json(), next_of(as_alice, task)

    assert (completed["completed"], completed["repeat"]) == (True, None)
    assert following["due_date"] == ("2999-02-07" if "repeat" in body else "2999-02-01")
    assert following["labels"] == completed["labels"]
    assert following["title"] == completed["title"]
    assert completed["version"] < following["version"]


def test_a_task_that_is_created_as_completed_has_a_next_occurrence(as_alice):
    completed = repeating(as_alice, completed=True)
    following = next_of(as_alice, completed)

    assert (completed["repeat"], completed["completed_at"]) == (None, completed["created_at"])
    assert following["due_date"] == "2999-02-01"
    assert completed["version"] < following["version"]


def test_staff_complete_repeating_tasks_of_several_users(as_alice, as_bob, superuser):
    as_alice("patch", "/me", {"time_zone": "Pacific/Kiritimati"})
    for caller in (as_alice, as_bob):
        for number in range(2):
            repeating(caller, title=str(number))
    run_action(superuser, TASKS, "complete", Task.objects.all())

    for caller in (as_alice, as_bob):
        found = caller("get", "/tasks?completed=false").json()["results"]
        assert sorted((each["title"], each["due_date"]) for each in found) == [
            ("0", "2999-02-01"),
            ("1", "2999-02-01"),
        ]


def test_an_action_makes_two_queries_more_for_another_user(as_alice, as_bob):
    """To look for the next occurrences, and for tombstones of them."""

    def complete(*callers):
        tasks = [repeating(caller, title=str(number))["id"] for caller in callers for number in range(3)]
        with CaptureQueriesContext(connection) as captured:
            perform_for_owners(TASK, "complete", tasks)
        return len(captured)

    assert complete(as_alice, as_bob) <= complete(as_alice) + 2


def test_completing_again_changes_nothing(as_alice):
    task = repeating(as_alice)
    completed = post(as_alice, task, "complete")
    following = next_of(as_alice, task)

    assert post(as_alice, task, "complete") == completed
    assert as_alice("patch", f"/tasks/{task['id']}", {"completed": True}).json()["repeat"] is None
    assert next_of(as_alice, task) == following


def test_series_lists_the_history(as_alice, as_bob):
    task = current = repeating(as_alice)
    create_task(as_alice)
    for _ in range(3):
        post(as_alice, current, "complete")
        current = next_of(as_alice, task)
    history = as_alice("get", f"/tasks?series={task['id']}&ordering=due").json()["results"]

    assert [each["due_date"] for each in history] == ["2999-01-31", "2999-02-01", "2999-02-02", "2999-02-03"]
    assert [each["completed"] for each in history] == [True, True, True, False]
    assert as_bob("get", f"/tasks?series={task['id']}").json()["results"] == []


# Which day comes next


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", ["2999-01-31", "2999-02-01", "2999-02-02"]),
        ("FREQ=DAILY;COUNT=1", ["2999-01-31"]),
        ("FREQ=DAILY;UNTIL=29990202", ["2999-01-31", "2999-02-01", "2999-02-02"]),
        ("FREQ=DAILY;UNTIL=29990131", ["2999-01-31"]),
        ("FREQ=MONTHLY;UNTIL=29990430", ["2999-01-31", "2999-02-28", "2999-03-31", "2999-04-30"]),
    ],
)
def test_count_and_until_end_a_series(as_alice, rule, expected):
    task = repeating(as_alice, repeat={"rule": rule})
    found = []
    for _ in range(len(expected) + 1):
        for current in open_occurrences(as_alice, task):
            found.append(current["due_date"])
            post(as_alice, current, "complete")

    assert found == expected
    assert as_alice("get", "/tasks?completed=false").json()["results"] == []


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_from_due_the_next_day_is_after_today_however_late(as_alice, zone):
    as_alice("patch", "/me", {"time_zone": zone})
    task = repeating(as_alice, due_date=days_from(today(zone), -70), repeat=WEEKLY)
    post(as_alice, task, "complete")

    assert next_of(as_alice, task)["due_date"] == days_from(today(zone), 7)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("late", [-10, 0, 10])
def test_from_completion_the_rule_begins_today(as_alice, zone, late):
    """However early: no day comes twice."""
    as_alice("patch", "/me", {"time_zone": zone})
    repeat = {"rule": "FREQ=DAILY;INTERVAL=3", "from": "completion"}
    task = repeating(as_alice, due_date=days_from(today(zone), -late), repeat=repeat)
    post(as_alice, task, "complete")

    expected = {-10: 12, 0: 3, 10: 3}[late]
    assert next_of(as_alice, task)["due_date"] == days_from(today(zone), expected)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_time_repeats_in_its_own_zone(as_alice, zone):
    noon = f"{days_from(today(zone), -1)}T12:00:00"
    due_at = datetime.fromisoformat(noon).replace(tzinfo=ZoneInfo(zone)).isoformat()
    task = repeating(as_alice, due_date=None, due_at=due_at, due_zone=zone)
    post(as_alice, task, "complete")
    following = next_of(as_alice, task)

    due = datetime.fromisoformat(following["due_at"]).astimezone(ZoneInfo(zone))
    assert (due.date(), due.hour) == (today(zone) + timedelta(days=1), 12)
    assert following["repeat"]["anchor"] == due.date().isoformat()


@pytest.mark.parametrize(
    ("due_at", "expected"),
    [
        ("2999-03-30T07:30:00Z", "2999-03-31T06:30:00.000000Z"),  # Summer time begins.
        ("2999-10-26T06:30:00Z", "2999-10-27T07:30:00.000000Z"),  # It ends.
        ("2999-03-30T01:30:00Z", "2999-03-31T01:30:00.000000Z"),  # 02:30 is skipped.
    ],
)
def test_a_time_keeps_its_place_on_the_clock_on_the_wall(as_alice, due_at, expected):
    task = repeating(as_alice, due_date=None, due_at=due_at, due_zone="Europe/Berlin")
    post(as_alice, task, "complete")

    assert next_of(as_alice, task)["due_at"] == expected


def test_the_calendar_ends_with_the_year_9999(as_alice):
    task = repeating(as_alice, due_date="9999-12-30")
    post(as_alice, task, "complete")
    last = next_of(as_alice, task)
    post(as_alice, last, "complete")

    assert last["due_date"] == "9999-12-31"
    assert open_occurrences(as_alice, task) == []


def test_a_time_at_the_end_of_the_calendar(as_alice):
    task = repeating(
        as_alice,
        due_date=None,
        due_at="9999-12-31T08:00:00Z",
        due_zone="America/Santiago",
        start_date="9999-12-31",
    )
    assert next_of(as_alice, task)
    post(as_alice, task, "complete")

    assert open_occurrences(as_alice, task) == []


# Subtasks


@pytest.fixture
def packing(as_alice):
    """A repeating task with subtasks at two levels: one of them is completed, another one is in the trash."""
    task = repeating(as_alice, title="Pack")
    parent = create_task(
        as_alice, "Clothes", parent=task["id"], due_date="2999-01-30", add_labels=[{"name": "wardrobe"}]
    )
    child = create_task(as_alice, "Socks", parent=parent["id"], description="Warm ones")
    done = create_task(as_alice, "Tickets", parent=task["id"])
    gone = create_task(as_alice, "Skis", parent=task["id"])
    as_alice("post", f"/tasks/{done['id']}/complete")
    as_alice("delete", f"/tasks/{gone['id']}")
    return task, parent, child, done


def test_subtasks_are_copied_as_open_ones(as_alice, packing):
    task, parent, child, done = packing
    post(as_alice, task, "complete")
    following = next_of(as_alice, task)
    found = as_alice("get", f"/tasks?root={following['id']}").json()["results"]
    copies = {each["title"]: each for each in found}

    def copy_of(each, container):
        return str(uuid.uuid5(uuid.UUID(container["id"]), each["id"]))

    assert copies.keys() == {"Pack", "Clothes", "Socks", "Tickets"}
    assert not any(each["completed"] for each in found)
    assert copies["Clothes"]["id"] == copy_of(parent, following)
    assert copies["Socks"]["id"] == copy_of(child, copies["Clothes"])
    assert copies["Tickets"]["id"] == copy_of(done, following)
    assert copies["Clothes"]["due_date"] == "2999-01-31"
    assert copies["Clothes"]["labels"] == parent["labels"]
    assert copies["Socks"]["description"] == "Warm ones"
    assert copies["Socks"]["parent"] == copies["Clothes"]["id"]
    assert as_alice("get", f"/tasks/{child['id']}").json()["completed"]


@pytest.mark.parametrize("choice", ["complete", "leave"])
def test_what_happens_to_the_subtasks_changes_nothing_about_the_copies(as_alice, packing, choice):
    task, parent, *_ = packing
    post(as_alice, task, "complete", {"subtasks": choice})

    assert as_alice("get", f"/tasks/{parent['id']}").json()["completed"] == (choice == "complete")
    found = as_alice("get", f"/tasks?root={next_of(as_alice, task)['id']}").json()["results"]
    assert {each["completed"] for each in found} == {False}
    assert len(found) == 4


def test_refusing_because_of_open_subtasks_creates_nothing(as_alice, packing):
    task, *_ = packing
    response = as_alice("post", f"/tasks/{task['id']}/complete", {"subtasks": "refuse"})

    assert_error(response, 409, "CONFLICT")
    assert next_of(as_alice, task)["id"] == task["id"]


def test_subtasks_that_repeat_continue_in_the_copy(as_alice):
    """Completed along with its parent, a subtask has no next occurrence of its own."""
    task = repeating(as_alice, repeat=WEEKLY)
    inner = repeating(as_alice, title="inner", parent=task["id"], due_date="2999-02-01")
    post(as_alice, task, "complete")
    following = next_of(as_alice, task)
    [copy] = as_alice("get", f"/tasks?parent={following['id']}").json()["results"]

    assert open_occurrences(as_alice, inner) == []
    assert as_alice("get", f"/tasks/{inner['id']}").json()["repeat"] == inner["repeat"]
    assert (copy["due_date"], copy["series"]) == ("2999-02-08", copy["id"])
    assert copy["repeat"] == {**inner["repeat"], "anchor": "2999-02-08"}
    post(as_alice, copy, "complete")
    assert next_of(as_alice, copy)["due_date"] == "2999-02-09"


def test_of_a_subtask_that_repeats_only_the_latest_occurrence_is_copied(as_alice):
    task = repeating(as_alice, repeat=WEEKLY)
    inner = repeating(as_alice, title="inner", parent=task["id"], due_date="2999-02-01")
    create_task(as_alice, "innermost", parent=inner["id"])
    for _ in range(3):
        post(as_alice, next_of(as_alice, inner), "complete")
    post(as_alice, task, "complete")
    found = as_alice("get", f"/tasks?root={next_of(as_alice, task)['id']}").json()["results"]

    assert sorted(each["title"] for each in found) == ["inner", "innermost", "milk"]


def test_a_subtask_that_repeats_has_its_next_occurrence_in_the_same_task(as_alice):
    parent = create_task(as_alice)
    task = repeating(as_alice, parent=parent["id"])
    post(as_alice, task, "complete")

    assert next_of(as_alice, task)["parent"] == parent["id"]


# What stands in the way, or does not


def test_a_task_in_an_archived_project_repeats_there(as_alice):
    project = as_alice("post", "/projects", {"name": "Old"}).json()["id"]
    task = repeating(as_alice, project=project)
    as_alice("post", f"/projects/{project}/archive")
    post(as_alice, task, "complete")

    found = as_alice("get", f"/tasks?project={project}&completed=false").json()["results"]
    assert [(each["due_date"], each["project"]) for each in found] == [("2999-02-01", project)]


def test_a_task_in_the_trash_is_not_found(as_alice):
    task = repeating(as_alice)
    as_alice("delete", f"/tasks/{task['id']}")

    for path, body in [("complete", None), ("skip", {"due_date": "2999-01-31"})]:
        assert_error(as_alice("post", f"/tasks/{task['id']}/{path}", body), 404, "NOT_FOUND")
    assert Task.objects.count() == 1


def test_above_the_quota_a_repeating_task_cannot_be_completed(as_alice, settings):
    settings.QUOTA_TASKS = 1
    task = repeating(as_alice)
    error = assert_error(as_alice("post", f"/tasks/{task['id']}/complete"), 409, "QUOTA_EXCEEDED")

    assert error["details"] == {"quota": "tasks", "limit": 1}
    assert as_alice("get", f"/tasks/{task['id']}").json() == task
    assert Clock.objects.get().tick == task["version"]


def test_if_match_compares_the_version_of_the_completed_task(as_alice):
    task = repeating(as_alice)
    as_alice("patch", f"/tasks/{task['id']}", {"priority": 3})
    headers = {"If-Match": f'"{task["version"]}"'}

    assert_error(as_alice("post", f"/tasks/{task['id']}/complete", **headers), 412, "PRECONDITION_FAILED")
    assert next_of(as_alice, task)["id"] == task["id"]


def test_a_retry_with_a_key_gets_the_first_response(as_alice):
    task = repeating(as_alice)
    path, headers = f"/tasks/{task['id']}/complete", {"Idempotency-Key": "k"}
    first, again = as_alice("post", path, **headers), as_alice("post", path, **headers)

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert Task.objects.count() == 2


def test_a_dry_run_changes_nothing(as_alice):
    task = repeating(as_alice)
    response = as_alice("post", f"/tasks/{task['id']}/complete?dry_run=true")

    assert response["Dry-Run"] == "true"
    assert (response.json()["completed"], response.json()["repeat"]) == (True, None)
    assert as_alice("get", f"/tasks/{task['id']}").json() == task
    assert Task.objects.count() == 1


def test_another_users_task_is_not_found(as_alice, as_bob):
    task = repeating(as_alice)
    for path, body in [("complete", None), ("reopen", None), ("skip", {"due_date": "2999-01-31"})]:
        assert_error(as_bob("post", f"/tasks/{task['id']}/{path}", body), 404, "NOT_FOUND")
    assert as_alice("get", f"/tasks/{task['id']}").json() == task


# Clients


def test_a_follower_sees_the_completed_task_before_the_next_occurrence(as_alice, packing):
    task, *_ = packing
    follower = Follower(as_alice, limit=1)
    while follower.step():
        continue
    post(as_alice, task, "complete")
    order = []
    while True:
        before = {**follower.copy}
        more = follower.step()
        order += [id_ for id_, each in follower.copy.items() if before.get(id_) != each]
        if not more:
            break

    assert order.index(task["id"]) < order.index(next_of(as_alice, task)["id"])
    assert follower.copy == server_entries(lambda path: as_alice("get", path).json())


def test_a_bulk_request_uses_the_next_occurrence_that_it_creates(as_alice):
    """As an offline client does, which shows the next occurrence before the server has created it."""
    task = repeating(as_alice)
    second, third = (str(uuid.uuid5(uuid.UUID(task["series"]), day)) for day in ("2999-02-01", "2999-02-02"))
    operations = [
        {"op": "complete", "id": task["id"], "if_match": task["version"]},
        {"op": "update", "id": second, "data": {"title": "twice"}, "if_match": 0},
        {"op": "complete", "id": second, "if_match": 0},
    ]
    response = as_alice("post", "/bulk", {"operations": operations})
    assert response.status_code == 200, response.content

    assert [each["completed"] for each in response.json()["results"]] == [True, True, True]
    assert (next_of(as_alice, task)["id"], next_of(as_alice, task)["title"]) == (third, "twice")


@pytest.mark.parametrize("with_subtasks", [False, True])
def test_a_hundred_completions_make_as_many_queries_as_two(as_alice, with_subtasks):
    def complete_many(number):
        tasks = [repeating(as_alice, description="d") for _ in range(number)]
        if with_subtasks:
            operations = [{"op": "create", "data": {"title": "x", "parent": task["id"]}} for task in tasks]
            as_alice("post", "/bulk", {"operations": operations})
        operations = [{"op": "complete", "id": task["id"]} for task in tasks]
        with CaptureQueriesContext(connection) as captured:
            response = as_alice("post", "/bulk", {"operations": operations})
        assert response.status_code == 200, response.content
        return len(captured)

    few, many = complete_many(2), complete_many(100)
    # SQLite inserts at most some 40 tasks in one statement.
    assert few <= many <= few + (5 if connection.vendor == "sqlite" else 0)
    assert few <= 13
    assert as_alice("get", "/tasks/stats").json()["open"] == 102 * (1 + with_subtasks)
