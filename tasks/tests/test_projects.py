"""/projects: nested, archived, in the trash with all that is in them."""

import pytest

from tasks.ledger.models import Clock, Tombstone
from tasks.models import Project
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.organisation import (
    assert_consistent,
    bulk,
    create_label,
    create_project,
    nested_projects,
    read,
    send,
    titles,
)
from tests.support.tasks import create_task


def names(caller, query=""):
    return titles(caller, f"/projects?{query}")


def delete(caller, project):
    return send(caller, "delete", f"/projects/{project['id']}")


def restore(caller, each, kind="project"):
    return send(caller, "post", f"/trash/{each['id']}/restore?kind={kind}")


def test_a_project_has_the_fields_of_every_object_around_its_own(as_alice, alice):
    response = as_alice("post", "/projects", {"name": "  Garden ", "color": "#2E8B57"})
    project = response.json()

    assert response.status_code == 201
    assert response["Location"] == f"/api/v1/projects/{project['id']}"
    assert list(project) == [
        "id", "user_id", "name", "color", "parent", "position", "archived_at", "created_at", "updated_at",
        "deleted_at", "version",
    ]  # fmt: skip
    assert (project["name"], project["color"], project["parent"]) == ("Garden", "#2e8b57", None)
    assert send(as_alice, "get", f"/projects/{project['id']}") == project
    assert send(as_alice, "get", "/projects")["results"] == [project]
    assert project["user_id"] == str(alice.pk)


def test_put_keeps_where_a_project_is_and_its_color(as_alice):
    home, garden = nested_projects(as_alice, "Home", "Garden")
    send(as_alice, "patch", f"/projects/{garden['id']}", {"color": "#2e8b57"})
    changed = send(as_alice, "put", f"/projects/{garden['id']}", {"name": "Yard"})

    assert (changed["name"], changed["parent"], changed["color"]) == ("Yard", home["id"], "#2e8b57")
    assert changed["position"] == garden["position"]


INVALID = [
    ({}, "name", "required"),
    ({"name": ""}, "name", "blank"),
    ({"name": " \t "}, "name", "blank"),
    ({"name": "\u200b"}, "name", "blank"),
    ({"name": "x" * 201}, "name", "max_length"),
    ({"name": "x", "color": "red"}, "color", "invalid_color"),
    ({"name": "x", "color": "#2e8b5"}, "color", "invalid_color"),
    ({"name": "x", "color": "#2e8b57x"}, "color", "invalid_color"),
    ({"name": "x", "color": ""}, "color", "blank"),
    ({"name": "x", "parent": "x"}, "parent", "invalid"),
    ({"name": "x", "parent": UNKNOWN_ID}, "parent", "does_not_exist"),
    ({"name": "x", "position": "a0"}, "position", "read_only"),
    ({"name": "x", "archived_at": None}, "archived_at", "read_only"),
    ({"name": "x", "after": None, "before": None}, "after", "exclusive"),
    ({"name": "x", "after": UNKNOWN_ID}, "after", "does_not_exist"),
    ({"name": "x", "title": "x"}, "title", "unknown"),
]


@pytest.mark.parametrize(("body", "field", "constraint"), INVALID)
def test_an_invalid_project_is_refused(as_alice, body, field, constraint):
    response = as_alice("post", "/projects", body)

    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)
    assert not Project.objects.exists()


def test_the_errors_say_what_is_allowed(as_alice):
    def message(**body):
        return assert_error(as_alice("post", "/projects", body), 400, "VALIDATION_ERROR")["message"]

    assert message(name="x", color="red") == "Color must be a color such as #1e90ff."
    assert message(name="x", parent=UNKNOWN_ID) == (
        "Parent must be the ID of a project of yours outside the trash."
    )


# Levels


def test_projects_are_nested_up_to_five_levels(as_alice, alice):
    first, second, *_, fifth = nested_projects(as_alice, *"12345")
    refused = [
        as_alice("post", "/projects", {"name": "6", "parent": fifth["id"]}),
        as_alice("post", f"/projects/{first['id']}/move", {"parent": create_project(as_alice, "0")["id"]}),
    ]

    for response in refused:
        error = assert_error(response, 400, "VALIDATION_ERROR", field="parent", constraint="max_levels")
        assert error["message"] == "Parent is nested too deeply: at most 5 levels of projects are allowed."
    assert read(as_alice, first, "/projects") == first
    send(as_alice, "post", f"/projects/{second['id']}/move", {"parent": None})
    send(as_alice, "post", f"/projects/{first['id']}/move", {"parent": fifth["id"]})
    assert len(assert_consistent(as_alice, alice)) == 6


@pytest.mark.parametrize("inner", [0, 1, 2])
def test_a_project_is_not_put_into_itself_or_one_in_it(as_alice, alice, inner):
    projects = nested_projects(as_alice, *"123")
    response = as_alice("patch", f"/projects/{projects[0]['id']}", {"parent": projects[inner]["id"]})

    assert_error(response, 400, "VALIDATION_ERROR", field="parent", constraint="cycle")
    assert read(as_alice, projects[0], "/projects") == projects[0]


def test_a_bulk_makes_no_circle(as_alice, alice):
    one, two = create_project(as_alice, "1"), create_project(as_alice, "2")
    moves = [
        {"op": "move", "kind": "project", "id": each["id"], "data": {"parent": parent["id"]}}
        for each, parent in ((one, two), (two, one))
    ]

    response = as_alice("post", "/bulk", {"operations": moves})
    assert_error(response, 400, "VALIDATION_ERROR", field="operations.1.parent", constraint="cycle")
    assert read(as_alice, one, "/projects") == one


def test_projects_are_filtered_by_parent(as_alice):
    outer, inner = nested_projects(as_alice, "outer", "inner")
    create_project(as_alice, "innermost", parent=inner["id"])

    assert names(as_alice, "parent=none") == ["outer"]
    assert names(as_alice, f"parent={outer['id']}") == ["inner"]
    assert names(as_alice, f"parent={UNKNOWN_ID}") == []


# Archiving


@pytest.fixture
def archived(as_alice):
    """An archived project with a project in it; each has a task, and so has the inbox."""
    outer, inner = nested_projects(as_alice, "outer", "inner")
    create_task(as_alice, "in inbox")
    create_task(as_alice, "in outer", project=outer["id"])
    create_task(as_alice, "in inner", project=inner["id"])
    return send(as_alice, "post", f"/projects/{outer['id']}/archive"), inner


def test_tasks_of_archived_projects_are_left_out_of_lists(as_alice, archived):
    outer, inner = archived

    assert titles(as_alice) == ["in inbox"]
    assert titles(as_alice, "archived=false&q=in") == ["in inbox"]
    assert titles(as_alice, "project=none") == ["in inbox"]
    assert titles(as_alice, f"project={outer['id']}") == ["in outer"]
    assert titles(as_alice, f"project={inner['id']}") == ["in inner"]
    assert titles(as_alice, "archived=true") == ["in inbox", "in outer", "in inner"]
    assert (names(as_alice), names(as_alice, "archived=true&parent=none")) == ([], ["outer"])


def test_projects_are_archived_with_those_in_them_and_once(as_alice, alice, archived):
    outer, inner = archived
    again = send(as_alice, "post", f"/projects/{outer['id']}/archive")

    assert again == outer
    assert outer["archived_at"] == outer["updated_at"] == read(as_alice, inner, "/projects")["archived_at"]
    assert Clock.objects.get().counts["project"] == {"archived": 2}
    assert_consistent(as_alice, alice)


def test_unarchiving_restores_what_was_archived_along(as_alice, alice):
    outer, _inner, innermost = nested_projects(as_alice, "outer", "inner", "innermost")
    send(as_alice, "post", f"/projects/{innermost['id']}/archive")
    send(as_alice, "post", f"/projects/{outer['id']}/archive")
    back = send(as_alice, "post", f"/projects/{outer['id']}/unarchive")

    assert back["archived_at"] is None
    assert names(as_alice) == ["outer", "inner"]
    assert send(as_alice, "post", f"/projects/{outer['id']}/unarchive") == back
    assert_consistent(as_alice, alice)


def test_unarchiving_an_inner_project_unarchives_those_that_it_is_in(as_alice, archived):
    outer, inner = archived
    send(as_alice, "post", f"/projects/{outer['id']}/unarchive")
    beside = create_project(as_alice, "beside", parent=outer["id"])
    for project in (inner, beside, outer):
        send(as_alice, "post", f"/projects/{project['id']}/archive")
    send(as_alice, "post", f"/projects/{inner['id']}/unarchive")

    assert names(as_alice) == ["outer", "inner"]
    assert titles(as_alice) == ["in inbox", "in outer", "in inner"]


def test_a_project_in_the_trash_is_neither_archived_nor_unarchived(as_alice):
    outer, one = nested_projects(as_alice, "outer", "one")
    two = create_project(as_alice, "two", parent=outer["id"])
    trashed = [delete(as_alice, one)]
    send(as_alice, "post", f"/projects/{outer['id']}/archive")
    trashed.append(delete(as_alice, two))
    send(as_alice, "post", f"/projects/{outer['id']}/unarchive")

    assert [read(as_alice, each, "/projects") for each in (one, two)] == trashed


def test_a_project_is_not_put_into_an_archived_one(as_alice, archived):
    other = create_project(as_alice, "other")
    for method, path, body in [
        ("post", "/projects", {"name": "new", "parent": archived[0]["id"]}),
        ("patch", f"/projects/{other['id']}", {"parent": archived[0]["id"]}),
        ("post", f"/projects/{other['id']}/move", {"parent": archived[0]["id"]}),
    ]:
        response = as_alice(method, path, body)
        assert_error(response, 400, "VALIDATION_ERROR", field="parent", constraint="archived")
    assert names(as_alice) == ["other"]


@pytest.mark.parametrize("verb", ["create", "update", "move"])
def test_a_task_is_not_put_into_an_archived_project(as_alice, task, archived, verb):
    data = {"project": archived[0]["id"]}
    one = {"op": verb, "data": {"title": "x", **data}} if verb == "create" else {"op": verb, "data": data}
    response = as_alice(
        "post", "/bulk", {"operations": [one if verb == "create" else {**one, "id": task["id"]}]}
    )

    error = assert_error(
        response, 400, "VALIDATION_ERROR", field="operations.0.project", constraint="archived"
    )
    assert error["message"] == "Project is archived. Unarchive it first, or choose another project."
    assert read(as_alice, task) == task


def test_a_task_in_an_archived_project_can_be_changed(as_alice, archived):
    [task] = send(as_alice, "get", f"/tasks?project={archived[0]['id']}")["results"]
    body = {"title": "changed", "project": task["project"]}

    assert send(as_alice, "patch", f"/tasks/{task['id']}", body)["title"] == "changed"


# The trash


@pytest.fixture
def full(as_alice):
    """A project with a task, its subtask, and another project with a task; one task was trashed before."""
    outer, inner = nested_projects(as_alice, "outer", "inner")
    label = create_label(as_alice)
    task = create_task(as_alice, "task", project=outer["id"], labels=[label["id"]])
    subtask = create_task(as_alice, "subtask", parent=task["id"])
    done = create_task(as_alice, "done", project=inner["id"], completed=True)
    earlier = create_task(as_alice, "earlier", project=inner["id"])
    send(as_alice, "delete", f"/tasks/{earlier['id']}")
    create_task(as_alice, "in inbox")
    return {
        "outer": outer,
        "inner": inner,
        "task": task,
        "subtask": subtask,
        "done": done,
        "earlier": earlier,
    }


def test_deleting_a_project_moves_everything_in_it_to_the_trash_with_one_time(as_alice, alice, full):
    gone = delete(as_alice, full["outer"])

    entries = assert_consistent(as_alice, alice)
    times = {name: entries[each["id"]]["deleted_at"] for name, each in full.items()}
    assert gone["deleted_at"] == gone["updated_at"] > times.pop("earlier")
    assert set(times.values()) == {gone["deleted_at"]}
    assert titles(as_alice) == ["in inbox"]
    assert delete(as_alice, full["outer"]) == gone
    assert Clock.objects.get().counts == {
        "project": {"trashed": 2}, "label": {"live": 1}, "task": {"open": 1, "trashed": 4},
    }  # fmt: skip


def test_restoring_a_project_restores_exactly_what_was_deleted_with_it(as_alice, alice, full):
    before = assert_consistent(as_alice, alice)
    delete(as_alice, full["outer"])
    back = restore(as_alice, full["outer"])

    after = assert_consistent(as_alice, alice)
    assert back["deleted_at"] is None
    assert after[full["earlier"]["id"]] == before[full["earlier"]["id"]]
    for key, each in before.items():
        changed = {name for name, value in each.items() if after[key][name] != value}
        assert changed <= {"version", "updated_at"}
    assert restore(as_alice, full["outer"]) == back


def test_a_task_trashed_while_its_project_is_there_and_one_with_it_differ_in_their_times(as_alice, full):
    """Even in one request: the second operation has a later time."""
    operations = [
        {"op": "delete", "id": full["task"]["id"]},
        {"op": "delete", "kind": "project", "id": full["outer"]["id"]},
    ]
    bulk(as_alice, *operations)
    restore(as_alice, full["outer"])

    assert titles(as_alice, f"project={full['outer']['id']}") == []
    assert titles(as_alice, f"project={full['inner']['id']}") == ["done"]


def test_an_inner_project_is_restored_alone(as_alice, alice, full):
    delete(as_alice, full["outer"])
    back = restore(as_alice, full["inner"])

    assert (back["parent"], names(as_alice)) == (None, ["inner"])
    assert titles(as_alice, f"project={full['inner']['id']}") == ["done"]
    assert_consistent(as_alice, alice)
    restore(as_alice, full["outer"])
    assert sorted(names(as_alice)) == ["inner", "outer"]
    assert_consistent(as_alice, alice)


def test_a_project_in_one_outside_the_trash_is_restored_where_it_was(as_alice, full):
    delete(as_alice, full["inner"])
    back = restore(as_alice, full["inner"])

    assert (back["parent"], back["position"]) == (full["outer"]["id"], full["inner"]["position"])


def test_a_task_is_restored_from_the_trash_of_a_project_into_the_inbox(as_alice, alice, full):
    delete(as_alice, full["outer"])
    back = restore(as_alice, full["task"], "task")

    assert (back["project"], back["labels"]) == (None, full["task"]["labels"])
    assert read(as_alice, full["subtask"])["project"] is None
    assert titles(as_alice, "project=none&parent=none") == ["in inbox", "task"]
    assert_consistent(as_alice, alice)
    restore(as_alice, full["outer"])
    assert_consistent(as_alice, alice)


def test_a_subtask_of_a_task_restored_into_the_inbox_that_was_trashed_before_moves_along(as_alice, alice):
    project = create_project(as_alice)
    task = create_task(as_alice, project=project["id"])
    subtask = create_task(as_alice, parent=task["id"])
    send(as_alice, "delete", f"/tasks/{subtask['id']}")
    delete(as_alice, project)
    restore(as_alice, task, "task")

    assert read(as_alice, subtask)["project"] is None
    assert read(as_alice, subtask)["deleted_at"]
    assert_consistent(as_alice, alice)


@pytest.mark.parametrize("by", ["id", "kind", "all"])
def test_purging_a_project_leaves_a_tombstone_for_each_object(as_alice, alice, full, by):
    since = send(as_alice, "get", "/sync")["since"]
    delete(as_alice, full["outer"])
    path = {
        "id": f"/trash/{full['outer']['id']}?kind=project",
        "kind": "/trash?kind=project",
        "all": "/trash",
    }
    send(as_alice, "delete", path[by])

    entries = assert_consistent(as_alice, alice)
    purged = list(send(as_alice, "get", f"/sync?since={since}")["changes"])
    assert {each["id"] for each in purged} == {each["id"] for each in full.values()}
    assert all(each["purged"] for each in purged)
    assert sorted(each["kind"] for each in purged) == ["project"] * 2 + ["task"] * 4
    assert len(entries) == 2
    assert send(as_alice, "get", "/trash")["results"] == []
    assert len({each.version for each in Tombstone.objects.all()}) == 6


def test_emptying_the_trash_of_tasks_keeps_projects(as_alice, alice, full):
    delete(as_alice, full["outer"])

    assert send(as_alice, "delete", "/trash?kind=task&dry_run=true") == {"purged": 4}
    assert send(as_alice, "delete", "/trash?kind=task") == {"purged": 4}
    restore(as_alice, full["outer"])
    assert names(as_alice) == ["outer", "inner"]
    assert_consistent(as_alice, alice)


def test_the_trash_of_projects_is_counted_with_what_is_in_them(as_alice, full):
    delete(as_alice, full["outer"])

    assert send(as_alice, "delete", "/trash?kind=project&dry_run=true") == {"purged": 6}
    assert send(as_alice, "delete", "/trash?kind=project") == {"purged": 6}


def test_a_project_that_is_moved_into_a_deleted_one_in_the_same_request_goes_with_its_tasks(as_alice, alice):
    outer, inner = create_project(as_alice, "outer"), create_project(as_alice, "inner")
    innermost = create_project(as_alice, "innermost", parent=inner["id"])
    tasks = [create_task(as_alice, project=each["id"]) for each in (inner, innermost)]
    results = bulk(
        as_alice,
        {"op": "move", "kind": "project", "id": inner["id"], "data": {"parent": outer["id"]}},
        {"op": "delete", "kind": "project", "id": outer["id"]},
    )

    assert {read(as_alice, task)["deleted_at"] for task in tasks} == {results[1]["deleted_at"]}
    assert_consistent(as_alice, alice)


def test_a_task_that_is_moved_out_before_its_project_is_deleted_stays(as_alice, alice, full):
    bulk(
        as_alice,
        {"op": "update", "id": full["task"]["id"], "data": {"project": None}},
        {"op": "delete", "kind": "project", "id": full["outer"]["id"]},
    )

    assert titles(as_alice, "parent=none") == ["in inbox", "task"]
    assert read(as_alice, full["subtask"])["deleted_at"] is None
    assert_consistent(as_alice, alice)


def test_later_operations_refer_to_objects_that_earlier_ones_create(as_alice, alice):
    key = send(as_alice, "post", "/projects?dry_run=true", {"name": "x", "key": "k"})["id"]
    project, task, moved = bulk(
        as_alice,
        {"op": "create", "kind": "project", "data": {"name": "x", "key": "k"}},
        {"op": "create", "data": {"title": "y", "project": key, "add_labels": [{"name": "new"}]}},
        {"op": "move", "kind": "project", "id": key, "data": {"before": None}},
    )

    assert (task["project"], moved["id"], len(task["labels"])) == (key, project["id"], 1)
    assert_consistent(as_alice, alice)


def test_the_number_of_projects_is_limited_including_the_trash(as_alice, settings):
    settings.QUOTA_PROJECTS = 2
    delete(as_alice, create_project(as_alice))
    create_project(as_alice)
    error = assert_error(as_alice("post", "/projects", {"name": "x"}), 409, "QUOTA_EXCEEDED")

    assert error["details"] == {"quota": "projects", "limit": 2}
    assert error["message"] == "A user can have at most 2 projects, including the trash."
    assert Project.objects.count() == 2
