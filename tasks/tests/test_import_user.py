"""manage.py import_user: tasks."""

import json
import uuid

import pytest
from django.core.management import CommandError

from tasks.ledger.counts import count_rows
from tasks.ledger.models import Clock
from tasks.models import Task, TaskLabel
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID, signed_in
from tests.support.commands import run
from tests.support.organisation import assert_consistent, nested_projects, titles
from tests.support.tasks import create_task, entry, position, trashed
from todo_project.operations import progress


@pytest.fixture
def file(tmp_path):
    return tmp_path / "alice.json"


@pytest.fixture
def tasks(as_alice, alice, file):
    """Tasks of Alice in every state, as they are in the file."""
    one = create_task(as_alice, "one", description=' "quoted" \n\u2028', due_at="2030-01-31T09:00:00.000001Z")
    create_task(as_alice, "two", completed=True, priority=3)
    trashed(as_alice, title="three", completed=True)
    trashed(as_alice, title="four")
    as_alice("patch", f"/tasks/{one['id']}", {"priority": 1})
    run("export_user", alice.email, "--output", file)
    exported = json.loads(file.read_text())["tasks"]
    assert [task["title"] for task in exported] == ["two", "three", "four", "one"]
    return exported


def export_again(alice):
    return json.loads(run("export_user", alice.email)[0])


def import_alice(file, *options):
    return run("import_user", file, "--into", "alice@example.com", *options)[0]


def change_third_task(file, **changes):
    exported = json.loads(file.read_text())
    exported["tasks"][2].update(changes)
    file.write_text(json.dumps(exported))


def without_versions(tasks):
    return [{name: value for name, value in task.items() if name != "version"} for task in tasks]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 1000])
def test_erased_tasks_are_restored_unchanged_and_in_order(
    tasks, as_alice, alice, file, monkeypatch, batch_size
):
    monkeypatch.setattr("tasks.ledger.importing.BATCH_SIZE", batch_size)
    before = json.loads(file.read_text())
    since = position(as_alice, 3)
    run("erase_user", alice.email, "--yes")
    report = import_alice(file)

    after = export_again(alice)
    assert "tasks: 4 new, 0 equal, 0 different\n" in report
    assert without_versions(after["tasks"]) == without_versions(tasks)
    versions = [task["version"] for task in after["tasks"]]
    assert versions == list(range(versions[0], versions[0] + 4))
    assert Clock.objects.get().tick == versions[-1]
    assert_error(signed_in(alice)("get", f"/sync?since={since}"), 410, "RESYNC_REQUIRED")
    before["profile"]["has_password"] = False
    assert {**after, "tasks": 0, "sessions": 0} == {**before, "tasks": 0, "sessions": 0}


def test_clients_start_over_after_each_of_two_restorations(tasks, alice, file):
    """After the second one, too, no client confuses the new versions with those that it knows."""
    known: list[str] = []
    for _ in range(3):
        run("erase_user", alice.email, "--yes")
        run("import_user", file)
        caller = signed_in(alice)
        for since in known:
            assert_error(caller("get", f"/sync?since={since}"), 410, "RESYNC_REQUIRED")
        first = caller("get", "/sync?limit=1").json()
        whole = caller("get", "/sync?limit=500").json()
        known += [first["since"], whole["since"]]

        rest = caller("get", f"/sync?since={first['since']}").json()
        assert first["changes"] + rest["changes"] == whole["changes"]
        assert (len(whole["changes"]), rest["since"]) == (4, whole["since"])


def test_no_etag_of_an_erased_account_matches_a_restored_task(task, as_alice, alice, file):
    path, etag = f"/tasks/{task['id']}", as_alice("get", f"/tasks/{task['id']}")["ETag"]
    run("export_user", alice.email, "--output", file)
    run("erase_user", alice.email, "--yes")
    import_alice(file)

    response = signed_in(alice)("patch", path, {"title": "bread"}, **{"If-Match": etag})
    assert_error(response, 412, "PRECONDITION_FAILED")


def test_a_syncing_client_receives_restored_tasks(tasks, as_alice, alice, file):
    for path in ("/tasks", "/trash"):
        for task in as_alice("get", path).json()["results"]:
            as_alice("delete", f"/tasks/{task['id']}")
    as_alice("delete", "/trash")
    since = as_alice("get", "/sync").json()["since"]
    import_alice(file)

    seen = int(since.partition("-")[2])
    changes = as_alice("get", f"/sync?since={since}").json()["changes"]
    assert without_versions(changes) == without_versions(map(entry, tasks))
    assert [change["version"] for change in changes] == list(range(seen + 1, seen + 5))


def test_equal_tasks_are_not_changed(tasks, as_alice, alice, file):
    tick = Clock.objects.get().tick

    assert "tasks: 0 new, 4 equal, 0 different\n" in import_alice(file)
    assert export_again(alice)["tasks"] == tasks
    assert Clock.objects.get().tick == tick


@pytest.fixture
def changed(tasks, as_alice):
    """Since the export, one task was renamed, one was purged, and one was created."""
    as_alice("patch", f"/tasks/{tasks[0]['id']}", {"title": "renamed"})
    as_alice("delete", f"/trash/{tasks[1]['id']}")
    return create_task(as_alice, "new")


@pytest.mark.parametrize(
    ("choice", "titles"),
    [
        ("keep", ["four", "one", "renamed", "new", "three"]),
        ("replace", ["four", "one", "new", "two", "three"]),
    ],
)
def test_different_tasks_are_kept_or_replaced(changed, tasks, alice, file, choice, titles):
    report = import_alice(file, "--on-conflict", choice)

    after = export_again(alice)["tasks"]
    assert "tasks: 1 new, 2 equal, 1 different\n" in report
    assert [task["title"] for task in after] == titles
    assert len({task["version"] for task in after}) == 5
    assert changed in after
    assert Clock.objects.get().counts == count_rows(alice)


@pytest.mark.parametrize("arguments", [[], ["--dry-run"], ["--dry-run", "--on-conflict", "replace"]])
def test_by_default_and_in_a_dry_run_nothing_is_changed(changed, alice, file, arguments):
    before, tick = export_again(alice)["tasks"], Clock.objects.get().tick
    try:
        report = import_alice(file, *arguments)
    except CommandError as error:
        report = str(error)

    assert ("Choose --on-conflict" in report) == ("replace" not in arguments)
    assert (export_again(alice)["tasks"], Clock.objects.get().tick) == (before, tick)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": ""}, "tasks.2.title: Title must not be blank."),
        ({"title": " "}, "tasks.2.title: Title must contain a visible character."),
        ({"title": "x" * 501}, "tasks.2.title: Ensure title has no more than 500 characters."),
        ({"description": None}, "tasks.2.description: Description must not be null."),
        ({"priority": 4}, "tasks.2.priority: Priority must be one of 0, 1, 2, 3."),
        ({"completed": True}, "tasks.2.completed_at: Completed at must be set if the task is"),
        ({"completed_at": "2030-01-31T09:00:00Z"}, "tasks.2.completed_at: Completed at must be set"),
        ({"due_at": "soon"}, "tasks.2.due_at: Due at must be a time such as"),
        ({"deleted_at": "2030-01-31T09:00:00"}, "tasks.2.deleted_at: Deleted at must have a UTC offset"),
        ({"owner": UNKNOWN_ID}, "tasks.2.owner: Unknown field 'owner'."),
        ({"version": 0}, "tasks.2.version: Version must be at least 1."),
        ({"version": 1}, "tasks.2.version: Tasks must be in the order of their versions."),
        ({"id": "x"}, "tasks.2.id: Id must be a UUID, such as"),
    ],
)
def test_an_invalid_task_is_rejected_with_its_place(tasks, alice, file, changes, message):
    change_third_task(file, **changes)
    run("erase_user", alice.email, "--yes")
    with pytest.raises(CommandError) as error:
        import_alice(file)

    assert str(error.value).startswith(message)
    assert not Task.objects.exists()


@pytest.mark.parametrize("name", ["id", "title", "completed_at", "deleted_at", "version"])
def test_every_field_of_a_task_is_required(tasks, alice, file, name):
    exported = json.loads(file.read_text())
    del exported["tasks"][2][name]
    file.write_text(json.dumps(exported))

    with pytest.raises(CommandError, match=rf"tasks.2.{name}: .* is required"):
        import_alice(file, "--on-conflict", "replace")


@pytest.mark.parametrize("batch_size", [1, 1000])
def test_a_task_that_occurs_twice_in_the_file_is_rejected(tasks, alice, file, monkeypatch, batch_size):
    monkeypatch.setattr("tasks.ledger.importing.BATCH_SIZE", batch_size)
    change_third_task(file, id=tasks[0]["id"])
    run("erase_user", alice.email, "--yes")

    with pytest.raises(CommandError, match="tasks.2.id: This task is in the file twice."):
        import_alice(file)


@pytest.mark.parametrize("choice", ["keep", "replace"])
def test_another_users_task_is_never_changed(tasks, alice, bob, file, choice):
    of_bob = create_task(signed_in(bob), "of Bob")
    change_third_task(file, id=of_bob["id"])

    with pytest.raises(CommandError, match="tasks.2.id: Another user has a task with this id."):
        import_alice(file, "--on-conflict", choice)
    assert Task.objects.get(pk=of_bob["id"]).title == "of Bob"


def test_a_task_of_another_account_is_rejected(tasks, alice, bob, file):
    change_third_task(file, user_id=str(bob.pk))

    with pytest.raises(CommandError, match="tasks.2.user_id: This task belongs to another account."):
        import_alice(file, "--on-conflict", "replace")


def test_an_imported_task_can_be_purged_again(tasks, as_alice, file):
    trash = [task["id"] for task in tasks if task["deleted_at"]]
    for _ in range(2):
        for task in trash:
            assert as_alice("delete", f"/trash/{task}").status_code == 200
        import_alice(file, "--on-conflict", "keep")

    assert {task["id"] for task in as_alice("get", "/trash").json()["results"]} == set(trash)


def test_projects_labels_and_subtasks_are_restored_unchanged(as_alice, alice, file):
    outer, inner = nested_projects(as_alice, "outer", "inner")
    task = create_task(as_alice, project=inner["id"], add_labels=[{"name": "errand"}, {"name": "home"}])
    create_task(as_alice, "first", project=inner["id"], before=task["id"])
    subtask = create_task(as_alice, parent=task["id"], add_labels=[{"name": "errand"}])
    as_alice("delete", f"/tasks/{subtask['id']}")
    as_alice("post", f"/projects/{outer['id']}/archive")
    before = assert_consistent(as_alice, alice)
    run("export_user", alice.email, "--output", file)
    run("erase_user", alice.email, "--yes")
    import_alice(file)

    after = assert_consistent(signed_in(alice), alice)
    assert without_versions(after.values()) == without_versions(before.values())


def test_a_new_task_is_the_last_one_even_if_imported_ones_had_greater_versions(as_alice, alice, file):
    """On another server, for example."""
    create_task(as_alice, "one")
    Clock.objects.update(tick=1_800_000_000)
    two = create_task(as_alice, "two")
    run("export_user", alice.email, "--output", file)
    Clock.objects.update(tick=1)
    Task.objects.filter(pk=two["id"]).delete()
    Clock.objects.update(counts={"task": {"open": 1}})
    import_alice(file)
    create_task(as_alice, "three")

    assert titles(as_alice) == ["one", "two", "three"]
    assert_consistent(as_alice, alice)


def test_a_long_import_reports_its_progress(tasks, alice, file, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0)
    monkeypatch.setattr("tasks.ledger.importing.BATCH_SIZE", 3)

    assert run("import_user", file, "--into", "alice@example.com")[1] == "tasks: 3 so far\ntasks: 4 so far\n"


def test_a_batch_may_have_more_labels_than_a_statement_has_parameters(as_alice, alice, file):
    """PostgreSQL allows 65,535, and a label of a task takes three."""
    labels = [{"name": f"label {number}"} for number in range(50)]
    task = create_task(as_alice, add_labels=labels)
    run("export_user", alice.email, "--output", file)
    exported = json.loads(file.read_text())
    more = [{**task, "id": str(uuid.UUID(int=number)), "version": 1000 + number} for number in range(450)]
    file.write_text(json.dumps({**exported, "tasks": [*exported["tasks"], *more]}))

    assert "tasks: 450 new, 1 equal, 0 different\n" in import_alice(file, "--on-conflict", "keep")
    assert TaskLabel.objects.count() == 451 * 50
