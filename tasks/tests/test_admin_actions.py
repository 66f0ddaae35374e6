"""What staff do with many tasks at once: after a question, by the verbs, all or nothing, and on record."""

import csv
import io
import itertools

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection

from accounts.models import User
from tasks.models import Clock, Task, Tombstone
from tasks.operations import Operation, perform
from tests.support.admin_client import TASKS, act, form_of, some_tasks, staff, told
from tests.support.threads import run_together
from todo_project.admin import options as staff_pages


@pytest.fixture
def root(db):
    return staff("superuser")


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
def test_an_action_is_one_more_version_for_each_owner(
    root, as_alice, alice, bob, action, before, message, after
):
    tasks = [*some_tasks(alice, "milk", "bread", verbs=before), *some_tasks(bob, "beer", verbs=before)]
    since = as_alice("get", "/sync").json()["since"]
    clocks = ticks()

    page = act(root, TASKS, action, tasks)

    assert told(page) == [f"3 tasks {message}."]
    assert Task.objects.filter(**after).count() == 3
    assert ticks() == {
        email: clocks[email] + n for email, n in (("alice@example.com", 2), ("bob@example.com", 1))
    }
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
def test_where_there_is_nothing_to_do_nothing_is_done(root, alice, action, before):
    tasks = some_tasks(alice, "milk", verbs=before)
    clocks, rows = ticks(), list(Task.objects.values())

    page = act(root, TASKS, action, tasks)

    assert told(page)[0].endswith("1 was left as before.")
    assert (ticks(), list(Task.objects.values())) == (clocks, rows)
    assert not LogEntry.objects.exists()


def test_what_changed_and_what_did_not_is_told(root, alice):
    done, still_open = some_tasks(alice, "milk", verbs=("complete",)), some_tasks(alice, "bread", "beer")

    page = act(root, TASKS, "complete", [*done, *still_open])

    assert told(page) == ["2 tasks completed. 1 was left as before."]
    assert LogEntry.objects.count() == 2


def test_nothing_is_done_before_it_is_confirmed(root, alice):
    tasks = some_tasks(alice, "milk", "bread")

    page = act(root, TASKS, "trash", tasks, confirm=False)

    assert b"Move to the trash: 2 tasks." in page.content
    assert "<li>milk · alice@example.com</li>" in page.content.decode()
    assert Task.objects.live().count() == 2
    assert not LogEntry.objects.exists()


def test_only_the_trash_is_deleted_for_good(root, as_alice, alice, bob):
    gone = [*some_tasks(alice, "milk", verbs=("delete",)), *some_tasks(bob, "beer", verbs=("delete",))]
    kept = some_tasks(alice, "bread")

    page = act(root, TASKS, "purge", [*gone, *kept])

    assert told(page) == ["2 tasks deleted for good. 1 was left as before."]
    assert Task.objects.get().title == "bread"
    assert sorted(Tombstone.objects.values_list("owner__email", "version")) == [
        ("alice@example.com", 4),
        ("bob@example.com", 3),
    ]
    assert as_alice("get", "/sync?since=3").json()["changes"] == [
        {"id": str(gone[0].pk), "version": 4, "purged": True}
    ]
    assert LogEntry.objects.filter(action_flag=3).count() == 2


def test_all_that_match_a_filter_are_chosen_at_once(root, alice, bob):
    some_tasks(alice, *(f"task {number}" for number in range(105)))
    [beer] = some_tasks(bob, "beer")
    [first] = Task.objects.filter(title="task 0")

    page = act(root, f"{TASKS}?owner={alice.pk}", "complete", [first], across=True)

    assert told(page) == ["105 tasks completed."]
    assert Task.objects.filter(completed=True, owner=alice).count() == 105
    assert not Task.objects.get(pk=beer.pk).completed


def test_who_matches_a_filter_only_since_the_question_is_asked_about_again(root, alice):
    milk, beer = some_tasks(alice, "milk", "beer")
    form = {"action": "trash", "_selected_action": str(milk.pk), "select_across": "1"}
    confirmed = form_of(root.post(f"{TASKS}?owner={alice.pk}&state=open", form))["confirmed"]
    perform(alice, [Operation("delete", beer.pk)])
    some_tasks(alice, "bread")  # As many as before, but others.

    page = root.post(f"{TASKS}?owner={alice.pk}&state=open", {**form, "confirmed": confirmed})

    assert b"The selection has changed meanwhile." in page.content
    assert Task.objects.live().count() == 2


def test_too_many_for_one_action_are_refused(root, alice, monkeypatch):
    monkeypatch.setattr(staff_pages, "AT_MOST", 2)
    tasks = some_tasks(alice, "milk", "bread", "beer")

    page = act(root, TASKS, "trash", tasks[:1], across=True)

    assert told(page)[0].startswith("That is more than 2, which is too much for one action.")
    assert Task.objects.live().count() == 3


def test_many_are_done_in_chunks_and_yet_all_or_nothing(root, alice, bob, monkeypatch):
    """The last chunk meets a task that the database refuses to change."""
    monkeypatch.setattr(staff_pages, "AT_ONCE", 2)
    tasks = some_tasks(alice, "a", "b", "c") + some_tasks(bob, "d", "beer")
    assert told(act(root, TASKS, "complete", tasks)) == ["5 tasks completed."]
    no_beer = {
        "postgresql": "SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE tasks_task ADD CONSTRAINT no_beer "
        "CHECK (title <> 'beer' OR completed)",
        "sqlite": "CREATE TRIGGER no_beer BEFORE UPDATE ON tasks_task WHEN NEW.title = 'beer' AND NOT "
        "NEW.completed BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: no_beer'); END",
    }
    with connection.cursor() as cursor:
        cursor.execute(no_beer[connection.vendor])
    clocks = ticks()

    page = act(root, TASKS, "reopen", tasks)

    assert told(page) == ["Nothing was changed. The values do not fit together."]
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
def test_a_form_that_was_not_offered_changes_nothing(root, alice, form, status):
    [task] = some_tasks(alice, "milk")

    response = root.post(TASKS, {name: value.format(pk=task.pk) for name, value in form.items()})

    assert response.status_code == status
    assert Task.objects.live().count() == 1


def exported(response):
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


TEXTS = ["plain", "with, comma", 'with "quotes"', "two\nlines", "ünïcödé ✓ 任務", "a=b", "'quoted"]


def test_the_selection_is_exported_as_csv(root, alice, bob):
    tasks = some_tasks(alice, *TEXTS)
    some_tasks(bob, "beer")

    response = act(root, TASKS, "export", tasks)

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
def test_a_cell_that_a_spreadsheet_would_run_is_only_text(root, alice, text):
    tasks = some_tasks(alice, "milk")
    Task.objects.update(title=text, description=text)

    [row] = exported(act(root, TASKS, "export", tasks))

    assert (row["title"], row["description"]) == (f"'{text}", f"'{text}")


def test_any_number_is_exported_some_at_a_time(root, alice, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr("tasks.querysets.AT_ONCE", 10)
    monkeypatch.setattr(staff_pages, "AT_MOST", 5)
    monkeypatch.setattr(staff_pages, "COUNTED", 5)
    tasks = some_tasks(alice, *(str(number) for number in range(25)))

    response = act(root, f"{TASKS}?state=open", "export", tasks[:1], across=True)

    with django_assert_max_num_queries(4):
        rows = exported(response)
    assert sorted(int(row["title"]) for row in rows) == list(range(25))
    assert LogEntry.objects.get().object_repr == "5+ tasks"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_actions_over_the_same_owners_in_any_order_end_without_a_deadlock(monkeypatch):
    monkeypatch.setattr(staff_pages, "AT_ONCE", 3)
    owners = [User.objects.create_user(f"person{number}@example.com") for number in range(8)]
    tasks = [task for owner in owners for task in some_tasks(owner, "milk", "bread")]
    clients, turns = itertools.count(), [staff("superuser")]
    turns += [turns[0]] * 5

    def back_and_forth():
        number = next(clients)
        rows = tasks if number % 2 else tasks[::-1]
        return [told(act(turns[number], TASKS, action, rows)) for action in ("complete", "reopen") * 4]

    messages = run_together(6, back_and_forth)

    assert not [text for one in messages for page in one for text in page if "Nothing" in text]
    versions = [sorted(owner.tasks.values_list("version", flat=True)) for owner in owners]
    assert all(len(set(own)) == 2 for own in versions)
    assert [max(own) for own in versions] == [clock.tick for clock in map(clock_of, owners)]


def clock_of(owner):
    return Clock.objects.get(owner=owner)
