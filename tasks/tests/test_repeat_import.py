"""Export and import of repeating tasks."""

import json

import pytest
from django.core.management import CommandError

from tests.support.caller import signed_in
from tests.support.commands import run
from tests.support.repeating import next_of, open_occurrences, post, repeating
from tests.support.tasks import create_task

pytestmark = pytest.mark.usefixtures("counts_are_compared")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "alice.json"


@pytest.fixture
def series(as_alice, alice, file):
    """A task with a completed, an open and a trashed occurrence, exported."""
    task = repeating(as_alice, title="Water", add_labels=[{"name": "garden"}])
    create_task(as_alice, "Tulips", parent=task["id"])
    post(as_alice, task, "complete")
    post(as_alice, next_of(as_alice, task), "complete")
    trashed = next_of(as_alice, task)
    repeating(as_alice, due_date=None, due_at="2999-01-31T09:00:00Z", repeat={"rule": "FREQ=WEEKLY;COUNT=3"})
    repeating(as_alice, repeat={"rule": "FREQ=MONTHLY", "from": "completion"})
    as_alice("delete", f"/tasks/{trashed['id']}")
    run("export_user", alice.email, "--output", file)
    return task


def exported_tasks(file):
    return [{**each, "version": 0} for each in json.loads(file.read_text())["tasks"]]


def import_alice(file):
    return run("import_user", file, "--into", "alice@example.com")[0]


def change(file, **changes):
    """Of the open task that repeats at a time."""
    exported = json.loads(file.read_text())
    [task] = [each for each in exported["tasks"] if each["due_zone"]]
    task.update(changes)
    file.write_text(json.dumps(exported))


def test_erased_series_are_restored_unchanged(series, alice, file, tmp_path):
    before = exported_tasks(file)
    run("erase_user", alice.email, "--yes")
    import_alice(file)
    run("export_user", alice.email, "--output", tmp_path / "again.json")

    assert exported_tasks(tmp_path / "again.json") == before
    assert len(before) == 8
    assert "0 different" in import_alice(file)


def test_an_imported_series_goes_on(series, alice, file):
    run("erase_user", alice.email, "--yes")
    import_alice(file)
    caller = signed_in(alice)
    [trashed] = [each for each in caller("get", "/trash").json()["results"] if each["title"] == "Water"]
    caller("post", f"/trash/{trashed['id']}/restore")
    post(caller, trashed, "complete")

    assert next_of(caller, series)["due_date"] == "2999-02-03"
    occurrences = caller("get", f"/tasks?series={series['id']}").json()["results"]
    assert len(occurrences) == 4


def test_reopening_an_imported_completed_occurrence_leaves_the_next_one(series, alice, file):
    run("erase_user", alice.email, "--yes")
    import_alice(file)
    caller = signed_in(alice)

    assert post(caller, series, "reopen")["repeat"] is None
    assert [each["id"] for each in open_occurrences(caller, series)] == [series["id"]]


def with_rule(rule, **more):
    return {"rule": rule, "from": "due", "anchor": "2999-01-31", **more}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"repeat": with_rule("FREQ=HOURLY")}, "repeat.rule: FREQ must be one of"),
        ({"repeat": with_rule("freq=daily")}, "repeat.rule: The rule is not in the form"),
        ({"repeat": with_rule("FREQ=DAILY", anchor="soon")}, "repeat.anchor: Anchor must be a day"),
        ({"repeat": {"rule": "FREQ=DAILY", "from": "due"}}, "repeat.anchor: Anchor is required."),
        ({"repeat": {"rule": "FREQ=DAILY", "anchor": "2999-01-31"}}, "repeat.from: From is required."),
        ({"series": None}, "series: Series must be set if the task repeats."),
    ],
)
def test_an_invalid_repetition_is_not_imported(series, alice, file, changes, problem):
    run("erase_user", alice.email, "--yes")
    change(file, **changes)

    with pytest.raises(CommandError, match=rf"tasks\.\d+\.{problem}"):
        import_alice(file)


def test_a_repeating_task_that_is_never_due_is_not_imported(series, alice, file):
    run("erase_user", alice.email, "--yes")
    change(file, due_at=None, due_zone=None)

    with pytest.raises(CommandError, match="A repeating task needs due_date or due_at. Nothing was changed."):
        import_alice(file)
