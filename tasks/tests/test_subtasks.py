"""Subtasks: tasks in tasks, which are completed, reopened, moved, trashed and restored together."""

from datetime import datetime
from typing import Any

import pytest

from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.organisation import assert_consistent, bulk, create_project, read, send, titles
from tests.support.tasks import create_task


def nested(caller, number, **fields):
    """Tasks, each a subtask of the one before."""
    tasks = [create_task(caller, "1", **fields)]
    for level in range(2, number + 1):
        tasks.append(create_task(caller, str(level), parent=tasks[-1]["id"]))
    return tasks


def post(caller, task, verb, body=None):
    return send(caller, "post", f"/tasks/{task['id']}/{verb}", body)


def states(caller, *tasks):
    return [read(caller, task)["completed"] for task in tasks]


@pytest.fixture
def family(as_alice):
    """A task with two subtasks, the first of which has one."""
    task, subtask, inner = nested(as_alice, 3)
    return task, subtask, inner, create_task(as_alice, "4", parent=task["id"])


def test_a_subtask_is_in_the_project_of_its_parent(as_alice, alice):
    project = create_project(as_alice)
    task, subtask = nested(as_alice, 2, project=project["id"])
    same = create_task(as_alice, "3", parent=subtask["id"], project=project["id"])

    assert (subtask["project"], subtask["parent"]) == (project["id"], task["id"])
    assert same["project"] == project["id"]
    assert_consistent(as_alice, alice)


@pytest.mark.parametrize("verb", ["patch", "move"])
def test_changing_the_project_takes_the_subtasks_along_and_the_task_out_of_its_parent(
    as_alice, alice, family, verb
):
    task, subtask, inner, other = family
    project, body = create_project(as_alice), {}
    body = {"project": project["id"]}
    if verb == "move":
        moved = post(as_alice, subtask, "move", body)
    else:
        moved = send(as_alice, "patch", f"/tasks/{subtask['id']}", body)

    assert (moved["project"], moved["parent"]) == (project["id"], None)
    assert read(as_alice, inner)["project"] == project["id"]
    assert read(as_alice, inner)["parent"] == subtask["id"]
    assert [read(as_alice, each) for each in (task, other)] == [task, other]
    assert_consistent(as_alice, alice)


def test_a_trashed_subtask_moves_along(as_alice, alice, family):
    task, subtask, inner, _ = family
    send(as_alice, "delete", f"/tasks/{subtask['id']}")
    project = create_project(as_alice)
    post(as_alice, task, "move", {"project": project["id"]})

    assert [read(as_alice, each)["project"] for each in (subtask, inner)] == [project["id"]] * 2
    send(as_alice, "post", f"/trash/{subtask['id']}/restore")
    assert_consistent(as_alice, alice)


def test_a_new_parent_takes_a_task_with_its_subtasks_into_its_project(as_alice, alice, family):
    project = create_project(as_alice)
    parent = create_task(as_alice, project=project["id"])
    moved = send(as_alice, "patch", f"/tasks/{family[0]['id']}", {"parent": parent["id"]})

    assert (moved["project"], moved["parent"]) == (project["id"], parent["id"])
    assert {read(as_alice, each)["project"] for each in family} == {project["id"]}
    assert_consistent(as_alice, alice)


def test_a_subtask_without_a_parent_stays_in_the_project(as_alice, alice):
    project = create_project(as_alice)
    _, subtask = nested(as_alice, 2, project=project["id"])
    moved = post(as_alice, subtask, "move", {"parent": None})

    assert (moved["parent"], moved["project"]) == (None, project["id"])
    assert_consistent(as_alice, alice)


def test_put_keeps_where_a_task_is(as_alice):
    project = create_project(as_alice)
    _, subtask = nested(as_alice, 2, project=project["id"])
    kept = send(as_alice, "put", f"/tasks/{subtask['id']}", {"title": "x"})

    for name in ("parent", "project", "position", "labels"):
        assert kept[name] == subtask[name]


# What is refused


def test_tasks_are_nested_up_to_five_levels(as_alice, alice):
    first, second, *_, fifth = nested(as_alice, 5)
    outer = create_task(as_alice, "0")

    for response in (
        as_alice("post", "/tasks", {"title": "6", "parent": fifth["id"]}),
        as_alice("post", f"/tasks/{first['id']}/move", {"parent": outer["id"]}),
        as_alice(
            "patch", f"/tasks/{second['id']}", {"parent": second["parent"] and outer["id"], "priority": 9}
        ),
    ):
        assert response.status_code == 400
    error = assert_error(
        as_alice("patch", f"/tasks/{first['id']}", {"parent": outer["id"]}),
        400, "VALIDATION_ERROR", field="parent", constraint="max_levels",
    )  # fmt: skip
    assert error["message"] == "Parent is nested too deeply: at most 5 levels of tasks are allowed."
    assert read(as_alice, first) == first
    post(as_alice, second, "move", {"parent": outer["id"]})
    assert_consistent(as_alice, alice)


def test_a_trashed_subtask_counts_as_a_level(as_alice):
    """It can be restored."""
    tasks = nested(as_alice, 5)
    send(as_alice, "delete", f"/tasks/{tasks[4]['id']}")
    outer = create_task(as_alice, "0")

    response = as_alice("patch", f"/tasks/{tasks[0]['id']}", {"parent": outer["id"]})
    assert_error(response, 400, "VALIDATION_ERROR", field="parent", constraint="max_levels")


@pytest.mark.parametrize("inner", [0, 1, 2])
def test_a_task_is_not_put_into_itself_or_its_subtasks(as_alice, family, inner):
    response = as_alice("patch", f"/tasks/{family[0]['id']}", {"parent": family[inner]["id"]})

    error = assert_error(response, 400, "VALIDATION_ERROR", field="parent", constraint="cycle")
    assert error["message"] == "Parent must not be the task itself or one that is in it."
    assert read(as_alice, family[0]) == family[0]


def test_a_bulk_makes_no_circle(as_alice):
    one, two, three = (create_task(as_alice, title) for title in "123")
    moves = [
        {"op": "move", "id": each["id"], "data": {"parent": parent["id"]}}
        for each, parent in ((one, two), (two, three), (three, one))
    ]

    response = as_alice("post", "/bulk", {"operations": moves})
    assert_error(response, 400, "VALIDATION_ERROR", field="operations.2.parent", constraint="cycle")
    assert [read(as_alice, each) for each in (one, two, three)] == [one, two, three]


def test_a_bulk_counts_the_levels_that_earlier_operations_make(as_alice):
    upper, lower = nested(as_alice, 3), nested(as_alice, 3)
    end = create_task(as_alice)
    moves = [
        {"op": "move", "id": lower[0]["id"], "data": {"parent": end["id"]}},
        {"op": "move", "id": end["id"], "data": {"parent": upper[0]["id"]}},
        {"op": "move", "id": end["id"], "data": {"parent": upper[1]["id"]}},
    ]

    response = as_alice("post", "/bulk", {"operations": moves})
    assert_error(response, 400, "VALIDATION_ERROR", field="operations.2.parent", constraint="max_levels")
    bulk(as_alice, *moves[:2])


@pytest.mark.parametrize(
    "body", [{"project": None, "parent": "{inner}"}, {"project": "{other}", "parent": "{inner}"}]
)
def test_a_parent_in_another_project_is_refused(as_alice, task, body):
    _, inner = nested(as_alice, 2, project=create_project(as_alice)["id"])
    ids = {"{inner}": inner["id"], "{other}": create_project(as_alice, "Other")["id"]}
    body = {name: ids.get(value) for name, value in body.items()}

    for response in (
        as_alice("post", f"/tasks/{create_task(as_alice, project=ids['{other}'])['id']}/move", body),
        as_alice("post", "/tasks", {"title": "x", "project": ids["{other}"], "parent": inner["id"]}),
    ):
        assert_error(response, 400, "VALIDATION_ERROR", field="project", constraint="exclusive")


@pytest.mark.parametrize("state", ["unknown", "trashed", "project"])
def test_a_parent_must_be_a_task_outside_the_trash(as_alice, task, state):
    other = create_task(as_alice)["id"]
    send(as_alice, "delete", f"/tasks/{other}")
    parent = {"unknown": UNKNOWN_ID, "trashed": other, "project": create_project(as_alice)["id"]}[state]

    error = assert_error(
        as_alice("patch", f"/tasks/{task['id']}", {"parent": parent}),
        400, "VALIDATION_ERROR", field="parent", constraint="does_not_exist",
    )  # fmt: skip
    assert error["message"] == "Parent must be the ID of a task of yours outside the trash."


# Completing


@pytest.mark.parametrize("verb", ["complete", "patch", "put", "bulk"])
def test_completing_a_task_completes_its_subtasks_at_the_same_time(as_alice, alice, family, verb):
    task, *subtasks = family
    path = f"/tasks/{task['id']}"
    before = [read(as_alice, each)["version"] for each in subtasks]
    if verb == "bulk":
        [done] = bulk(as_alice, {"op": "complete", "id": task["id"]})
    elif verb == "complete":
        done = post(as_alice, task, "complete")
    else:
        done = send(as_alice, verb, path, {"title": "1", "completed": True})

    assert {read(as_alice, each)["completed_at"] for each in subtasks} == {done["completed_at"]}
    assert sorted(read(as_alice, each)["version"] for each in subtasks) == [5, 6, 7]
    assert (max(before), done["version"]) == (4, 8)
    assert_consistent(as_alice, alice)


def test_a_completed_or_trashed_subtask_stays_as_it_is(as_alice, alice, family):
    task, subtask, inner, other = family
    post(as_alice, subtask, "complete")
    send(as_alice, "delete", f"/tasks/{other['id']}")
    before = [read(as_alice, each) for each in (subtask, inner, other)]
    post(as_alice, task, "complete")

    assert [read(as_alice, each) for each in (subtask, inner, other)] == before


def test_completing_a_task_leaves_subtasks_open_if_told(as_alice, alice, family):
    task, *subtasks = family
    post(as_alice, task, "complete", {"subtasks": "leave"})

    assert states(as_alice, *family) == [True, False, False, False]
    assert [read(as_alice, each) for each in subtasks] == subtasks


@pytest.mark.parametrize("in_bulk", [False, True])
def test_completing_a_task_with_open_subtasks_can_be_refused(as_alice, family, in_bulk):
    task, subtask, _, other = family
    body = {"subtasks": "refuse"}
    request: Any = ("post", f"/tasks/{task['id']}/complete", body)
    if in_bulk:
        operations = [
            {"op": "create", "data": {"title": "x"}},
            {"op": "complete", "id": task["id"], "data": body},
        ]
        request = ("post", "/bulk", {"operations": operations})
    field = "operations.1.subtasks" if in_bulk else "subtasks"
    error = assert_error(as_alice(*request), 409, "CONFLICT", field=field, constraint="conflict")

    assert error["message"] == "This task has 3 open subtasks. Complete them first."
    assert [read(as_alice, each) for each in family] == [*family]
    post(as_alice, subtask, "complete")
    one = assert_error(as_alice(*request), 409, "CONFLICT")
    assert one["message"] == "This task has 1 open subtask. Complete them first."
    post(as_alice, other, "complete")
    assert as_alice(*request).status_code == 200


@pytest.mark.parametrize("body", [{"subtasks": "all"}, {"subtasks": None}, {"children": "leave"}, []])
def test_an_invalid_body_of_complete_is_refused(as_alice, task, body):
    assert_error(as_alice("post", f"/tasks/{task['id']}/complete", body), 400, "VALIDATION_ERROR")
    assert read(as_alice, task) == task


# Reopening


def test_reopening_a_task_reopens_exactly_the_subtasks_that_were_completed_with_it(as_alice, alice, family):
    task, _subtask, _inner, other = family
    post(as_alice, other, "complete")
    post(as_alice, task, "complete")
    post(as_alice, task, "reopen")

    assert states(as_alice, *family) == [False, False, False, True]
    assert_consistent(as_alice, alice)


def test_subtasks_that_an_earlier_operation_completed_stay_completed(as_alice, family):
    task, _subtask, _inner, other = family
    bulk(as_alice, *({"op": "complete", "id": each["id"]} for each in (other, task)))
    post(as_alice, task, "reopen")

    assert states(as_alice, *family) == [False, False, False, True]


@pytest.mark.parametrize("verb", ["reopen", "patch"])
def test_reopening_a_subtask_reopens_what_it_is_in(as_alice, alice, family, verb):
    task, _subtask, inner, _other = family
    post(as_alice, task, "complete")
    if verb == "patch":
        send(as_alice, "patch", f"/tasks/{inner['id']}", {"completed": False})
    else:
        post(as_alice, inner, "reopen")

    assert states(as_alice, *family) == [False, False, False, True]
    assert_consistent(as_alice, alice)


def test_reopening_changes_no_subtask_in_the_trash(as_alice, family):
    task, _subtask, _inner, other = family
    post(as_alice, task, "complete")
    send(as_alice, "delete", f"/tasks/{other['id']}")
    before = read(as_alice, other)
    post(as_alice, task, "reopen")

    assert read(as_alice, other) == before


@pytest.mark.parametrize(("first", "then"), [("complete", "reopen"), ("reopen", "complete")])
def test_repeating_changes_nothing(as_alice, family, first, then):
    post(as_alice, family[0], first)
    once = post(as_alice, family[0], then)
    others = [read(as_alice, each) for each in family]

    assert post(as_alice, family[0], then) == once
    assert [read(as_alice, each) for each in family] == others


# The trash


def test_a_task_is_trashed_and_restored_with_its_subtasks(as_alice, alice, family):
    task, subtask, inner, other = family
    send(as_alice, "delete", f"/tasks/{other['id']}")
    gone = send(as_alice, "delete", f"/tasks/{task['id']}")
    assert {read(as_alice, each)["deleted_at"] for each in (subtask, inner)} == {gone["deleted_at"]}
    assert read(as_alice, other)["deleted_at"] < gone["deleted_at"]
    send(as_alice, "post", f"/trash/{task['id']}/restore")

    assert titles(as_alice, "root=" + task["id"]) == ["1", "2", "3"]
    assert_consistent(as_alice, alice)


def test_a_subtask_of_a_task_outside_the_trash_is_restored_where_it_was(as_alice):
    _, subtask, _ = nested(as_alice, 3, project=create_project(as_alice)["id"])
    send(as_alice, "delete", f"/tasks/{subtask['id']}")
    back = send(as_alice, "post", f"/trash/{subtask['id']}/restore")

    for name in ("parent", "project", "position"):
        assert back[name] == subtask[name]


def test_a_subtask_is_restored_from_a_trashed_task_as_a_task(as_alice, alice):
    project = create_project(as_alice)
    task, subtask, inner = nested(as_alice, 3, project=project["id"])
    send(as_alice, "delete", f"/tasks/{task['id']}")
    back = send(as_alice, "post", f"/trash/{subtask['id']}/restore")

    assert (back["parent"], back["project"]) == (None, project["id"])
    assert read(as_alice, inner)["parent"] == subtask["id"]
    assert titles(as_alice) == ["2", "3"] or titles(as_alice) == ["3", "2"]
    assert_consistent(as_alice, alice)
    send(as_alice, "post", f"/trash/{task['id']}/restore")
    assert_consistent(as_alice, alice)


def test_purging_a_task_purges_its_subtasks(as_alice, alice, family):
    send(as_alice, "delete", f"/tasks/{family[0]['id']}")
    tombstone = send(as_alice, "delete", f"/trash/{family[0]['id']}")

    assert tombstone["purged"] is True
    changes = send(as_alice, "get", "/sync")["changes"]
    assert {each["id"] for each in changes if each["purged"]} == {each["id"] for each in family}
    assert assert_consistent(as_alice, alice) == {}


def test_purging_a_subtask_keeps_its_parent(as_alice, alice, family):
    task, subtask, _, other = family
    send(as_alice, "delete", f"/tasks/{subtask['id']}")
    send(as_alice, "delete", f"/trash/{subtask['id']}")

    assert set(assert_consistent(as_alice, alice)) == {task["id"], other["id"]}


# Filters


def test_tasks_are_filtered_by_parent_and_root(as_alice, family):
    task, subtask, _inner, _other = family
    create_task(as_alice, "beside")

    assert titles(as_alice, "parent=none") == ["1", "beside"]
    assert titles(as_alice, f"parent={task['id']}") == ["2", "4"]
    assert titles(as_alice, f"root={task['id']}") == ["1", "2", "3", "4"]
    assert titles(as_alice, f"root={subtask['id']}") == ["2", "3"]
    assert titles(as_alice, f"root={UNKNOWN_ID}") == []
    # The task itself need not pass the other filters.
    assert titles(as_alice, f"root={task['id']}&q=4") == ["4"]


def test_the_times_of_one_request_are_later_for_each_operation(as_alice, family):
    operations = [{"op": "complete", "id": each["id"]} for each in family[:0:-1]]
    times = [each["completed_at"] for each in bulk(as_alice, *operations)]

    assert times == sorted(times)
    assert (datetime.fromisoformat(times[-1]) - datetime.fromisoformat(times[0])).microseconds == 2
