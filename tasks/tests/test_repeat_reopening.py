"""Reopening a repeating task takes the next occurrence back if nobody has changed it."""

import pytest

from tasks.models import Task
from tests.support.repeating import next_of, open_occurrences, post, repeating
from tests.support.tasks import create_task, entry, server_entries

pytestmark = pytest.mark.usefixtures("counts_are_compared")


def test_reopening_takes_the_next_occurrence_back(as_alice):
    task = repeating(as_alice)
    inner = create_task(as_alice, parent=task["id"])
    post(as_alice, task, "complete")
    following = next_of(as_alice, task)
    [copy] = as_alice("get", f"/tasks?parent={following['id']}").json()["results"]
    reopened = post(as_alice, task, "reopen")

    changed = {"updated_at", "version"}
    assert {name for name in task if reopened[name] != task[name]} == changed
    assert open_occurrences(as_alice, task) == [reopened]
    trash = as_alice("get", "/trash").json()["results"]
    assert {each["id"] for each in trash} == {following["id"], copy["id"]}
    assert not as_alice("get", f"/tasks/{inner['id']}").json()["completed"]


@pytest.mark.parametrize("method", ["patch", "bulk"])
def test_reopening_by_an_update_is_the_same(as_alice, method):
    task = repeating(as_alice)
    post(as_alice, task, "complete")
    data = {"completed": False, "title": "x"}
    if method == "patch":
        as_alice("patch", f"/tasks/{task['id']}", data)
    else:
        as_alice("post", "/bulk", {"operations": [{"op": "update", "id": task["id"], "data": data}]})

    assert next_of(as_alice, task)["repeat"] == task["repeat"]
    assert next_of(as_alice, task)["id"] == task["id"]


def complete_and_reopen(caller, task):
    return [
        {name: each[name] for name in ("id", "repeat", "completed")}
        for each in (post(caller, task, "complete"), next_of(caller, task), post(caller, task, "reopen"))
    ]


def test_it_can_be_done_again_and_again(as_alice):
    task = repeating(as_alice)
    first = complete_and_reopen(as_alice, task)

    for _ in range(3):
        assert complete_and_reopen(as_alice, task) == first
    assert Task.objects.count() == 2


def test_the_next_occurrence_is_created_anew_with_the_values_of_then(as_alice):
    task = repeating(as_alice, title="old", add_labels=[{"name": "old"}])
    inner = create_task(as_alice, "old inner", parent=task["id"])
    post(as_alice, task, "complete")
    following = next_of(as_alice, task)
    [copy] = as_alice("get", f"/tasks?parent={following['id']}").json()["results"]
    post(as_alice, task, "reopen")
    as_alice("patch", f"/tasks/{task['id']}", {"title": "new", "add_labels": [{"name": "new"}]})
    as_alice("patch", f"/tasks/{inner['id']}", {"title": "new inner"})
    post(as_alice, task, "complete")

    again = next_of(as_alice, task)
    assert (again["id"], again["title"], len(again["labels"])) == (following["id"], "new", 2)
    [inner_again] = as_alice("get", f"/tasks?parent={following['id']}").json()["results"]
    assert (inner_again["id"], inner_again["title"]) == (copy["id"], "new inner")
    for label in again["labels"]:
        assert as_alice("get", f"/tasks?label={label}&completed=false").json()["results"][0] == again


def test_after_the_next_occurrence_was_purged_it_is_created_again(as_alice):
    task = repeating(as_alice)
    create_task(as_alice, parent=task["id"])
    post(as_alice, task, "complete")
    following = next_of(as_alice, task)
    post(as_alice, task, "reopen")
    as_alice("delete", "/trash")
    post(as_alice, task, "complete")

    assert next_of(as_alice, task)["id"] == following["id"]
    assert len(as_alice("get", f"/tasks?root={following['id']}").json()["results"]) == 2
    changes = as_alice("get", "/sync").json()["changes"]
    entries = {each["id"]: each for each in changes}
    assert len(changes) == len(entries)
    assert entries == server_entries(lambda path: as_alice("get", path).json())
    assert entries[following["id"]] == entry(next_of(as_alice, task))


def rename(caller, task):
    caller("patch", f"/tasks/{task['id']}", {"title": "changed"})


def complete(caller, task):
    post(caller, task, "complete")


def skip(caller, task):
    post(caller, task, "skip", {"due_date": task["due_date"]})


def trash(caller, task):
    caller("delete", f"/tasks/{task['id']}")


def add_a_subtask(caller, task):
    create_task(caller, "mine", parent=task["id"])


def rename_a_subtask(caller, task):
    [copy] = caller("get", f"/tasks?parent={task['id']}").json()["results"]
    rename(caller, copy)


def purge(caller, task):
    trash(caller, task)
    caller("delete", f"/trash/{task['id']}")


@pytest.mark.parametrize("change", [rename, complete, skip, trash, add_a_subtask, rename_a_subtask, purge])
def test_if_the_next_occurrence_was_changed_both_stay(as_alice, change):
    task = repeating(as_alice)
    create_task(as_alice, "inner", parent=task["id"])
    post(as_alice, task, "complete")
    following = next_of(as_alice, task)
    change(as_alice, following)
    before = server_entries(lambda path: as_alice("get", path).json())
    reopened = post(as_alice, task, "reopen")

    assert (reopened["completed"], reopened["repeat"], reopened["series"]) == (False, None, task["series"])
    after = server_entries(lambda path: as_alice("get", path).json())
    changed = {after[id_]["title"] for id_ in after if after[id_] != before[id_]}
    assert changed == {"milk", "inner"}
    post(as_alice, task, "complete")
    assert len(server_entries(lambda path: as_alice("get", path).json())) == len(after)


@pytest.mark.parametrize("rule", ["FREQ=DAILY;COUNT=1", "FREQ=DAILY;UNTIL=29990131"])
def test_the_last_occurrence_gets_its_rule_back(as_alice, rule):
    task = repeating(as_alice, repeat={"rule": rule})
    post(as_alice, task, "complete")

    assert post(as_alice, task, "reopen")["repeat"] == task["repeat"]


@pytest.mark.parametrize("fields", [{}, {"due_date": "2999-02-03"}])
def test_a_rule_sent_along_replaces_the_former_one(as_alice, fields):
    task = repeating(as_alice)
    post(as_alice, task, "complete")
    body = {"completed": False, "repeat": {"rule": "FREQ=WEEKLY"}, **fields}
    assert as_alice("patch", f"/tasks/{task['id']}", body).status_code == 200

    reopened = next_of(as_alice, task)
    assert (reopened["id"], reopened["series"]) == (task["id"], task["id"])
    assert reopened["repeat"]["rule"] == f"FREQ=WEEKLY;BYDAY={'SU' if fields else 'TH'}"
    post(as_alice, reopened, "complete")
    assert next_of(as_alice, task)["repeat"]["rule"] == reopened["repeat"]["rule"]


def test_a_rule_that_was_set_while_the_task_was_completed_stays(as_alice):
    task = repeating(as_alice)
    post(as_alice, task, "complete")
    body = {"repeat": {"rule": "FREQ=WEEKLY"}}
    changed = as_alice("patch", f"/tasks/{task['id']}", body).json()

    assert post(as_alice, task, "reopen")["repeat"] == changed["repeat"]


def test_an_occurrence_that_exists_gets_nothing_back_that_was_deleted_from_it(as_alice):
    task = repeating(as_alice)
    create_task(as_alice, "inner", parent=task["id"])
    post(as_alice, task, "complete")
    [copy] = as_alice("get", f"/tasks?parent={next_of(as_alice, task)['id']}").json()["results"]
    trash(as_alice, copy)
    post(as_alice, task, "reopen")
    as_alice("patch", f"/tasks/{task['id']}", {"repeat": task_rule(task)})
    post(as_alice, task, "complete")

    assert as_alice("get", f"/tasks?parent={next_of(as_alice, task)['id']}").json()["results"] == []


def task_rule(task):
    return {"rule": task["repeat"]["rule"]}


def test_without_a_due_day_the_rule_does_not_return(as_alice):
    task = repeating(as_alice)
    post(as_alice, task, "complete")
    as_alice("patch", f"/tasks/{task['id']}", {"due_date": None})

    assert post(as_alice, task, "reopen")["repeat"] is None
    assert next(each for each in open_occurrences(as_alice, task) if each["repeat"])


def test_a_time_has_a_zone_again(as_alice):
    task = repeating(as_alice, due_date=None, due_at="2999-01-31T12:00:00Z")
    post(as_alice, task, "complete")
    as_alice("patch", f"/tasks/{task['id']}", {"due_zone": None})

    assert post(as_alice, task, "reopen")["due_zone"] == "UTC"


def test_reopening_a_subtask_reopens_its_parent_and_both_stay(as_alice):
    task = repeating(as_alice)
    inner = create_task(as_alice, parent=task["id"])
    post(as_alice, task, "complete")
    following = next_of(as_alice, task)
    post(as_alice, inner, "reopen")

    parent = as_alice("get", f"/tasks/{task['id']}").json()
    assert (parent["completed"], parent["repeat"]) == (False, None)
    assert as_alice("get", f"/tasks/{following['id']}").json() == following
    assert Task.objects.get(pk=task["id"]).repeated is None
