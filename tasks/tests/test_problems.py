"""The doctor's check of references. Requests cause no such problem, so the rows are changed directly."""

import pytest
from django.core import checks
from django.db import connection

from tasks.ledger import diagnosis
from tasks.ledger.kinds import kinds
from tasks.ledger.problems import find_problems
from tasks.models import Project, Task
from tests.support.caller import UNKNOWN_ID
from tests.support.one_owner import checked
from tests.support.tasks import create_task


def create_project(caller, **fields):
    return caller("post", "/projects", {"name": "Garden", **fields}).json()


@pytest.fixture
def tree(as_alice):
    """A task in a project in a project, with a subtask."""
    project = create_project(as_alice, parent=create_project(as_alice)["id"])
    task = create_task(as_alice, project=project["id"])
    return {
        "project": project["id"],
        "root": project["parent"],
        "task": task["id"],
        "subtask": create_task(as_alice, parent=task["id"])["id"],
    }


def found():
    return [message.msg for message in diagnosis.references() if message.level == checks.ERROR]


def test_objects_that_requests_have_made_have_no_problems(tree, as_bob):
    create_task(as_bob)

    [message] = diagnosis.references()
    assert (message.level, message.msg) == (
        checks.INFO, "Users whose references were examined: 2; all are correct.",
    )  # fmt: skip


def test_a_subtask_in_another_project_than_its_parent_is_found(tree):
    for project in (None, tree["root"]):
        Task.objects.filter(pk=tree["subtask"]).update(project=project)
        assert found() == [f"Task {tree['subtask']} is in another project than its parent."]


def test_an_object_in_itself_is_found(tree):
    Task.objects.filter(pk=tree["task"]).update(parent=tree["subtask"])
    Project.objects.filter(pk=tree["root"]).update(parent=tree["project"])

    task, project = found()
    assert task in {f"Task {tree[one]} is nested too deeply, or in itself." for one in ("task", "subtask")}
    assert project in {
        f"Project {tree[one]} is nested too deeply, or in itself." for one in ("project", "root")
    }


@pytest.mark.parametrize(("container", "inside"), [("task", "subtask"), ("root", "project")])
def test_an_object_outside_the_trash_in_one_that_is_trashed_is_found(tree, container, inside):
    model = Task if container == "task" else Project
    model.objects.filter(pk=tree[container]).update(deleted_at="2026-01-01T00:00:00Z")

    kind = model.__name__
    assert found() == [f"{kind} {tree[inside]} is not in the trash, but what it is in is."]


def test_a_task_outside_the_trash_in_a_trashed_project_is_found(as_alice):
    task = create_task(as_alice, project=create_project(as_alice)["id"])
    Project.objects.update(deleted_at="2026-01-01T00:00:00Z")

    assert found() == [f"Task {task['id']} is not in the trash, but what it is in is."]


@pytest.mark.skipif("connection.vendor == 'postgresql'", reason="PostgreSQL refuses such rows.")
@pytest.mark.parametrize("name", ["project", "parent"])
def test_a_reference_to_nothing_is_found(as_alice, name):
    task = create_task(as_alice)
    Task.objects.filter(pk=task["id"]).update(**{name: UNKNOWN_ID})

    assert f"The {name} of task {task['id']} does not exist." in found()


@pytest.mark.skipif("connection.vendor == 'postgresql'", reason="PostgreSQL refuses such rows.")
def test_a_label_that_does_not_exist_is_found(as_alice):
    task = create_task(as_alice, add_labels=[{"name": "errand"}])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tasks_label")

    assert found() == [f"A label of task {task['id']} does not exist."]


@pytest.mark.postgres
def test_every_statement_that_looks_for_problems_names_the_owner(tree, alice):
    with checked():
        assert [problem for kind in kinds.values() for problem in find_problems(kind, alice)] == []
