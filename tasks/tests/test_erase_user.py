"""manage.py export_user and erase_user, for a user with tasks."""

import json

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from tasks.ledger.models import Clock, Tombstone
from tasks.models import Label, Project, Task, TaskLabel
from tests.support.admin_client import create_tasks
from tests.support.caller import signed_in
from tests.support.commands import run
from tests.support.locks import transaction_blocking
from tests.support.organisation import nested_projects
from tests.support.registries import use_entries
from tests.support.tasks import create_task, trashed
from tests.support.threads import run_together
from todo_project.db import stored_responses
from todo_project.models import IdempotencyKey, IdempotencyUsage
from todo_project.operations import exporting


def test_an_export_contains_every_task_in_the_order_of_versions(as_alice, as_bob, alice):
    tasks = [
        create_task(as_alice, "one"),
        trashed(as_alice, title="two"),
        create_task(as_alice, "three", completed=True),
    ]
    create_task(as_bob, "of Bob")
    exported = json.loads(run("export_user", alice.email)[0])

    assert exported["tasks"] == tasks


def test_projects_and_labels_are_erased_with_what_is_in_them(as_alice, as_bob, alice):
    for caller in (as_alice, as_bob):
        outer, inner = nested_projects(caller, "outer", "inner")
        labels = [{"name": "errand"}]
        task = create_task(caller, project=inner["id"], add_labels=labels)
        create_task(caller, parent=task["id"], add_labels=labels)
        caller("delete", f"/projects/{outer['id']}")
    run("erase_user", alice.email, "--yes")

    assert [model.objects.count() for model in (Project, Label, Task, TaskLabel)] == [2, 1, 2, 2]
    assert not Project.objects.filter(owner=alice.pk).exists()


@pytest.mark.parametrize("at_once", [1, 2, 3, 4])
def test_an_export_is_complete_however_it_divides_into_batches(as_alice, alice, monkeypatch, at_once):
    monkeypatch.setattr("tasks.ledger.querysets.BATCH_SIZE", at_once)
    tasks = [create_task(as_alice, str(number)) for number in range(3)]

    assert json.loads(run("export_user", alice.email)[0])["tasks"] == tasks


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("export", ["command", "request"])
def test_all_sections_are_read_at_the_same_point_in_time(alice, monkeypatch, export):
    """A task that is created during the export is not in it."""
    create_task(signed_in(alice))
    account, tasks = exporting.exporters["account"], exporting.exporters["objects"]
    exporters = {"account": account, "new task": create_meanwhile, "tasks": tasks}
    use_entries(monkeypatch, exporting.exporters, exporters)
    if export == "command":
        exported = run("export_user", alice.email)[0]
    else:
        exported = b"".join(signed_in(alice)("get", "/me/export").streaming_content).decode()

    assert len(json.loads(exported)["tasks"]) == 1
    assert Task.objects.count() == 2


def create_meanwhile(user):
    yield "first", {}
    run_together(1, lambda: create_task(signed_in(user)))
    yield "last", {}


def test_erasing_deletes_tasks_and_tombstones_and_their_titles_in_the_history(
    as_alice, as_bob, alice, bob, admin_user
):
    as_alice("delete", f"/trash/{trashed(as_alice)['id']}")
    create_task(as_alice, "of Alice")
    create_task(as_bob, "of Bob")
    for task in Task.objects.order_by("title"):
        LogEntry.objects.log_actions(admin_user.pk, [task], CHANGE, single_object=True)
    report, _ = run("erase_user", alice.email, "--yes")

    assert "  tombstones: 1\n  tasks: 1\n" in report
    assert [task.title for task in Task.objects.all()] == ["of Bob"]
    assert not Tombstone.objects.exists()
    assert Clock.objects.get().owner == bob
    assert list(LogEntry.objects.order_by("pk").values_list("object_repr", flat=True)) == [
        "(erased)",
        "of Bob",
    ]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_user_can_be_erased_during_a_write(alice):
    """The write and the erasure take their locks in the same order, so there is no deadlock."""
    alice = User.objects.get(pk=alice.pk)
    create_tasks(alice, "the first")
    with transaction_blocking(lambda: run("erase_user", alice.email, "--yes")):
        create_tasks(alice, "the last")

    assert not User.objects.exists()
    assert not Task.objects.exists()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [Clock, User])
def test_a_user_can_be_erased_during_a_write_that_stores_its_response(alice, model):
    """A write stores its response last, when it has locked the clock, or the user for credentials."""
    signed_in(alice)("post", "/tasks", {"title": "milk"}, **{"Idempotency-Key": "one"})
    record = IdempotencyKey(owner=alice)
    with transaction_blocking(
        lambda: run("erase_user", alice.email, "--yes"),
        before_commit=lambda: stored_responses.store(record, expired_before=alice.created_at),
    ):
        model.objects.select_for_update().get(pk=alice.pk)

    assert not User.objects.exists()
    assert not IdempotencyUsage.objects.exists()


def test_erasing_ten_tasks_costs_the_same_queries_as_one(as_alice, as_bob, alice, bob):
    counts = []
    for caller, user, number in ((as_alice, alice, 1), (as_bob, bob, 10)):
        for _ in range(number):
            trashed(caller)
            create_task(caller)
        with CaptureQueriesContext(connection) as queries:
            run("erase_user", user.email, "--yes")
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert not Task.objects.exists()
