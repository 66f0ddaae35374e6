"""Bulk actions on tasks: confirmed, all or nothing, recorded in the history, and synced to clients."""

import csv
import io
import itertools

import pytest
from django.contrib.admin.models import LogEntry

from accounts.models import User
from tasks.kinds import TASK
from tasks.ledger.models import Clock, Tombstone
from tasks.ledger.operations import Operation, perform
from tasks.models import Task
from tests.support.admin_client import (
    TASKS,
    create_tasks,
    forbid_open_beer,
    form_of,
    messages_on,
    run_action,
    staff_client,
)
from tests.support.tasks import position
from tests.support.threads import run_together
from todo_project.admin import actions, changelist


def ticks():
    return dict(Clock.objects.values_list("owner__email", "tick"))


@pytest.mark.parametrize(
    ("action", "before", "message", "after"),
    [
        ("complete", (), "completed", {"completed": True, "deleted_at__isnull": True}),
        ("reopen", ("complete",), "reopened", {"completed": False, "completed_at": None}),
        ("trash", (), "moved to the trash", {"deleted_at__isnull": False}),
        ("restore", ("delete",), "restored from the trash", {"deleted_at__isnull": True}),
    ],
)
def test_each_changed_task_gets_one_version_of_its_owners_clock(
    superuser, as_alice, alice, bob, action, before, message, after
):
    tasks = [*create_tasks(alice, "milk", "bread", verbs=before), *create_tasks(bob, "beer", verbs=before)]
    since = as_alice("get", "/sync").json()["since"]
    clocks = ticks()

    page = run_action(superuser, TASKS, action, tasks)

    assert messages_on(page) == [f"3 tasks {message}."]
    assert Task.objects.filter(**after).count() == 3
    assert ticks()["alice@example.com"] == clocks["alice@example.com"] + 2
    assert ticks()["bob@example.com"] == clocks["bob@example.com"] + 1
    changes = as_alice("get", f"/sync?since={since}").json()["changes"]
    assert sorted(change["title"] for change in changes) == ["bread", "milk"]
    history = LogEntry.objects.values_list("object_id", "user__email", "change_message")
    sentence = f"{message.capitalize()}."
    assert set(history) == {(str(task.pk), "superuser@example.com", sentence) for task in tasks}


@pytest.mark.parametrize(
    ("action", "before"),
    [("complete", ("complete",)), ("reopen", ()), ("trash", ("delete",)), ("restore", ()), ("purge", ()),
     ("complete", ("delete",)), ("reopen", ("complete", "delete"))],
)  # fmt: skip
def test_rows_with_nothing_to_change_are_left_unchanged(superuser, alice, action, before):
    tasks = create_tasks(alice, "milk", verbs=before)
    clocks, rows = ticks(), list(Task.objects.values())

    offered = run_action(superuser, TASKS, action, tasks)
    keys = [str(task.pk) for task in tasks]
    form = {"action": action, "_selected_action": keys, "confirmed": actions.selection_digest(keys)}
    forced = superuser.post(TASKS, form, follow=True)

    assert messages_on(offered)[0].startswith("Nothing was changed. The task is not ")
    assert messages_on(forced)[0].endswith("1 was left unchanged.")
    assert (ticks(), list(Task.objects.values())) == (clocks, rows)
    assert not LogEntry.objects.exists()


def test_a_task_that_was_inserted_without_a_clock_is_left_unchanged(superuser, alice):
    task = Task.objects.create(owner=alice, title="milk", version=1)
    page = run_action(superuser, TASKS, "trash", [task])

    assert messages_on(page) == ["0 tasks moved to the trash. 1 was left unchanged."]
    assert Task.objects.live().count() == 1


@pytest.mark.parametrize(
    ("action", "sentence"),
    [("trash", "Move 2 tasks to the trash?"), ("purge", "This cannot be undone.")],
)
def test_nothing_changes_before_the_confirmation(superuser, alice, action, sentence):
    tasks = create_tasks(alice, "milk", "bread", verbs=("delete",) if action == "purge" else ())
    before = list(Task.objects.order_by("pk").values())

    page = run_action(superuser, TASKS, action, tasks, confirm=False).content.decode()

    assert sentence in page
    assert "<li>milk · alice@example.com</li>" in page
    assert list(Task.objects.order_by("pk").values()) == before
    assert not LogEntry.objects.exists()


def test_only_tasks_in_the_trash_are_deleted_permanently(superuser, as_alice, alice, bob):
    gone = [*create_tasks(alice, "milk", verbs=("delete",)), *create_tasks(bob, "beer", verbs=("delete",))]
    kept = create_tasks(alice, "bread")

    page = run_action(superuser, TASKS, "purge", [*gone, *kept])

    assert messages_on(page) == ["2 tasks deleted permanently. 1 was left unchanged."]
    assert Task.objects.get().title == "bread"
    assert sorted(Tombstone.objects.values_list("owner__email", "version")) == [
        ("alice@example.com", 4),
        ("bob@example.com", 3),
    ]
    assert as_alice("get", f"/sync?since={position(as_alice, 3)}").json()["changes"] == [
        {"kind": "task", "id": str(gone[0].pk), "version": 4, "purged": True}
    ]
    assert LogEntry.objects.filter(action_flag=3).count() == 2


def test_select_all_takes_all_rows_that_match_the_filters(superuser, alice, bob):
    create_tasks(alice, *(f"task {number}" for number in range(105)))
    [beer] = create_tasks(bob, "beer")
    [first] = Task.objects.filter(title="task 0")

    page = run_action(superuser, f"{TASKS}?owner={alice.pk}", "complete", [first], across=True)

    assert messages_on(page) == ["105 tasks completed."]
    assert Task.objects.filter(completed=True, owner=alice).count() == 105
    assert not Task.objects.get(pk=beer.pk).completed


def test_a_selection_that_changed_since_must_be_confirmed_again(superuser, alice):
    milk, beer = create_tasks(alice, "milk", "beer")
    form = {"action": "trash", "_selected_action": str(milk.pk), "select_across": "1"}
    confirmed = form_of(superuser.post(f"{TASKS}?owner={alice.pk}&state=open", form))["confirmed"]
    perform(alice, [Operation(TASK, "delete", beer.pk)])
    create_tasks(alice, "bread")  # As many as before, but others.

    page = superuser.post(f"{TASKS}?owner={alice.pk}&state=open", {**form, "confirmed": confirmed})

    assert b"The selection has changed since you confirmed it." in page.content
    assert Task.objects.live().count() == 2


def test_too_many_rows_for_an_action_are_rejected(superuser, alice, monkeypatch):
    monkeypatch.setattr(actions, "MAX_ROWS", 2)
    tasks = create_tasks(alice, "milk", "bread", "beer")

    page = run_action(superuser, TASKS, "trash", tasks[:1], across=True)

    assert messages_on(page)[0].startswith("The selection has more than 2 rows, the limit for an action.")
    assert Task.objects.live().count() == 3


def test_an_action_in_several_batches_is_rolled_back_as_a_whole(superuser, alice, bob, monkeypatch):
    """The last batch has a task that the database refuses to change."""
    monkeypatch.setattr(actions, "BATCH_SIZE", 2)
    tasks = create_tasks(alice, "a", "b", "c") + create_tasks(bob, "d", "beer")
    assert messages_on(run_action(superuser, TASKS, "complete", tasks)) == ["5 tasks completed."]
    forbid_open_beer()
    clocks = ticks()

    page = run_action(superuser, TASKS, "reopen", tasks)

    assert messages_on(page) == ["Nothing was changed. The values are inconsistent."]
    assert Task.objects.filter(completed=True).count() == 5
    assert ticks() == clocks
    assert LogEntry.objects.count() == 5


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"action": "purge", "_selected_action": "not-an-id", "confirmed": "1"}, 400),
        ({"action": "drop_table", "_selected_action": "{pk}", "confirmed": "1"}, 403),
        ({"action": "delete_selected", "_selected_action": "{pk}", "post": "yes"}, 403),
        ({"action": "trash", "_selected_action": "{pk}", "confirmed": "x"}, 200),
        ({"action": "trash", "index": "0"}, 302),
    ],
)
def test_a_form_that_the_list_did_not_offer_changes_nothing(superuser, alice, form, status):
    [task] = create_tasks(alice, "milk")

    response = superuser.post(TASKS, {name: value.format(pk=task.pk) for name, value in form.items()})

    assert response.status_code == status
    assert Task.objects.live().count() == 1


def exported(response):
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


TEXTS = ["plain", "with, comma", 'with "quotes"', "two\nlines", "ünïcödé ✓ 任務", "a=b", "'quoted"]


def test_the_selection_is_exported_as_csv(superuser, alice, bob):
    tasks = create_tasks(alice, *TEXTS)
    create_tasks(bob, "beer")

    response = run_action(superuser, TASKS, "export", tasks)

    assert response.streaming
    assert 'filename="tasks.csv"' in response.headers["Content-Disposition"]
    rows = exported(response)
    assert sorted(row["title"] for row in rows) == sorted(TEXTS)
    assert {row["owner__email"] for row in rows} == {"alice@example.com"}
    [entry] = LogEntry.objects.all()
    assert (entry.object_repr, entry.change_message) == ("7 tasks", "Exported as CSV.")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\n=1", " =1", "＝1", "\t=1", "\r=1", "\ufeff=1"]
)
def test_formulas_are_escaped(superuser, alice, text):
    tasks = create_tasks(alice, "milk")
    Task.objects.update(title=text, description=text)

    [row] = exported(run_action(superuser, TASKS, "export", tasks))

    assert (row["title"], row["description"]) == (f"'{text}", f"'{text}")


def test_any_number_of_rows_is_exported_in_batches(
    superuser, alice, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr("tasks.ledger.querysets.BATCH_SIZE", 10)
    monkeypatch.setattr(actions, "MAX_ROWS", 5)
    monkeypatch.setattr(changelist, "COUNT_LIMIT", 5)
    tasks = create_tasks(alice, *(str(number) for number in range(25)))

    response = run_action(superuser, f"{TASKS}?state=open", "export", tasks[:1], across=True)

    with django_assert_max_num_queries(4):
        rows = exported(response)
    assert sorted(int(row["title"]) for row in rows) == list(range(25))
    assert LogEntry.objects.get().object_repr == "5+ tasks"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_concurrent_actions_on_the_same_owners_do_not_deadlock(monkeypatch):
    monkeypatch.setattr(actions, "BATCH_SIZE", 3)
    owners = [User.objects.create_user(f"user{number}@example.com") for number in range(8)]
    tasks = [task for owner in owners for task in create_tasks(owner, "milk", "bread")]
    superuser, numbers = staff_client("superuser"), itertools.count()

    def back_and_forth():
        # Of each owner one task or the other, so that the keys of two actions have different orders.
        rows = tasks[next(numbers) % 2 :: 2]
        return [
            messages_on(run_action(superuser, TASKS, action, rows)) for action in ("complete", "reopen") * 4
        ]

    messages = run_together(6, back_and_forth)

    # Another thread may have been faster: "None of the 8 tasks is open." But none met a deadlock.
    texts = [text for one in messages for page in one for text in page]
    assert not [text for text in texts if "Nothing" in text and "None of" not in text]
    versions = [sorted(owner.tasks.values_list("version", flat=True)) for owner in owners]
    assert all(len(set(own)) == 2 for own in versions)
    assert [max(own) for own in versions] == [ticks()[owner.email] for owner in owners]
