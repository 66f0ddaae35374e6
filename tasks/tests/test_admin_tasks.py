"""Staff find a task, look at it and change it; the owner's apps hear of each change."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection

from tasks.models import Clock, Task, Tombstone
from tests.support.admin_client import PEOPLE, TASKS, form_of, some_tasks, staff, told
from tests.support.threads import run_together


@pytest.fixture
def root(db):
    return staff("superuser")


@pytest.fixture
def milk(alice):
    [task] = some_tasks(alice, "Buy milk")
    return task


def titles(page):
    assert page.status_code == 200
    return [task.title for task in page.context["cl"].result_list]


def test_the_list_shows_everybodys_tasks_the_newest_first(root, alice, bob):
    some_tasks(alice, "milk")
    some_tasks(bob, "beer")

    page = root.get(TASKS)

    assert titles(page) == ["beer", "milk"]
    assert f'<a href="{PEOPLE}{alice.pk}/change/">alice@example.com</a>'.encode() in page.content


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("state=open", ["open"]),
        ("state=completed", ["completed"]),
        ("state=trashed", ["trashed"]),
        ("state=overdue", []),
        ("owner={bob}", ["@home", "bread"]),
        ("owner={alice}&state=open", ["open"]),
        ("q=OPE", ["open"]),
        ("q=alice@EXAMPLE.com", ["trashed", "completed", "open"]),
        ("q=nobody@example.com", []),
        ("q=@home", ["@home"]),
        ("q={bread}", ["bread"]),
        ("q={bob}", []),
        ("q=no+such+words", []),
        ("created_at__gte=2030-01-01T00:00Z", []),
    ],
)
def test_a_task_is_found(root, alice, bob, asked, found):
    some_tasks(alice, "open")
    some_tasks(alice, "completed", verbs=("complete",))
    some_tasks(alice, "trashed", verbs=("delete",))
    [bread, _] = some_tasks(bob, "bread", "@home")
    if "state=open" in asked:
        some_tasks(bob, "another's", verbs=("complete",))
        found = found if "owner" in asked else ["@home", "bread", "open"]

    page = root.get(f"{TASKS}?{asked.format(bread=bread.pk, alice=alice.pk, bob=bob.pk)}")

    assert sorted(titles(page)) == sorted(found)


def test_overdue_tasks_are_found_the_longest_overdue_first(root, alice):
    overdue, long_overdue, planned = some_tasks(alice, "overdue", "long overdue", "planned")
    for task, due in ((overdue, "2020-01-02"), (long_overdue, "2020-01-01"), (planned, "2999-01-01")):
        Task.objects.filter(pk=task.pk).update(due_at=f"{due}T00:00Z")

    assert titles(root.get(f"{TASKS}?state=overdue")) == ["long overdue", "overdue"]
    assert titles(root.get(f"{TASKS}?state=open")) == ["long overdue", "overdue", "planned"]


def test_two_letters_are_too_few_to_search_for(root, milk):
    page = root.get(f"{TASKS}?q=mi")

    assert titles(page) == []
    assert told(page) == ["Search for 3 letters or more."]


@pytest.mark.parametrize("asked", ["owner__password__startswith=argon2", "title__regex=(a*)*b", "version=1"])
def test_what_no_filter_asks_is_refused(root, milk, asked):
    assert root.get(f"{TASKS}?{asked}").status_code == 400


@pytest.mark.parametrize("asked", ["owner=alice", "p=999999", "p=x", "created_at__gte=x", "o=1.-2", "e=1"])
def test_nonsense_in_the_url_is_no_crash(root, milk, asked):
    assert root.get(f"{TASKS}?{asked}", follow=True).status_code == 200


def test_dates_are_written_in_one_clear_way(root, milk):
    Task.objects.filter(pk=milk.pk).update(created_at="2026-03-04T05:06:07Z")

    assert b"2026-03-04 05:06 UTC" in root.get(TASKS).content
    assert b"2026-03-04 05:06 UTC" in root.get(f"{TASKS}{milk.pk}/change/").content


def edit(client, task, **changes):
    page = client.get(f"{TASKS}{task.pk}/change/")
    fields = {
        "title": task.title,
        "description": task.description,
        "priority": task.priority,
        **form_of(page),
    }
    return lambda: client.post(f"{TASKS}{task.pk}/change/", {**fields, **changes}, follow=True)


def test_a_change_is_a_new_version_that_the_owners_apps_hear_of(root, as_alice, alice, milk):
    since = as_alice("get", "/sync").json()["since"]

    page = edit(root, milk, title="Buy oat milk", completed="on", due_at_0="2027-01-31", due_at_1="09:00")()

    assert told(page)[0].startswith("The task “")
    [change] = as_alice("get", f"/sync?since={since}").json()["changes"]
    assert (change["title"], change["completed"], change["version"]) == ("Buy oat milk", True, 2)
    assert change["completed_at"] is not None
    assert change["due_at"] == "2027-01-31T09:00:00.000000Z"
    assert Clock.objects.get(owner=alice).tick == 2
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.user.email) == (str(milk.pk), "superuser@example.com")
    assert entry.get_change_message() == "Changed Title, Completed and Due at."


def test_saving_what_nobody_changed_writes_nothing(root, alice):
    [task] = some_tasks(alice, "milk")
    stored = {
        "title": " two\nlines",
        "description": "  two\nlines ",
        "due_at": "2027-01-31T09:00:00.123456Z",
    }
    Task.objects.filter(pk=task.pk).update(**stored)

    edit(root, task, title="twolines", description="  two\r\nlines ")()

    assert Task.objects.filter(pk=task.pk, version=1, **stored).exists()
    assert Clock.objects.get(owner=alice).tick == 1


def test_of_two_editors_the_second_is_told(root, as_alice, milk):
    second = edit(root, milk, title="mine")
    as_alice("patch", f"/tasks/{milk.pk}", {"title": "theirs"})

    page = second()

    assert b"This task was changed while you looked at it." in page.content
    assert Task.objects.get().title == "theirs"
    assert not LogEntry.objects.exists()


def test_of_two_editors_the_second_is_told_that_it_is_in_the_trash(root, as_alice, milk):
    second = edit(root, milk, title="mine")
    as_alice("delete", f"/tasks/{milk.pk}")

    page = second()

    assert told(page) == ["Nothing was saved: this task is in the trash by now."]
    assert Task.objects.get().title == "Buy milk"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_many_editors_at_once_one_wins(django_user_model):
    client, alice = staff("superuser"), django_user_model.objects.create_user("alice@example.com")
    for _ in range(5):
        [task] = some_tasks(alice, "milk")
        editors = iter([edit(client, task, title=f"{number}") for number in range(6)])
        pages = run_together(6, lambda editors=editors: next(editors)())  # type: ignore[misc]

        lost = [page for page in pages if b"This task was changed while you looked at it." in page.content]
        assert len(lost) == 5
        assert Task.objects.get(pk=task.pk).version == task.version + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": "  "}, "This field is required."),
        ({"title": "x" * 501}, "Ensure this value has at most 500 characters"),
        ({"description": "x" * 5001}, "Ensure this value has at most 5000 characters"),
        ({"title": "nul\x00"}, "Null characters are not allowed."),
        ({"priority": "9"}, "Select a valid choice."),
        ({"due_at_0": "tomorrow", "due_at_1": "9:00"}, "Enter a valid date."),
        ({"seen_version": ""}, "This task was changed while you looked at it."),
        ({"seen_version": "x"}, "Enter a whole number."),
        ({"seen_version": "9" * 30}, "This task was changed while you looked at it."),
    ],
)
def test_what_cannot_be_is_told_on_the_form(root, milk, changes, message):
    page = edit(root, milk, **changes)()

    assert page.status_code == 200
    assert message in page.content.decode()
    assert Task.objects.get().version == 1


NO_BEER = {
    "postgresql": "SET CONSTRAINTS ALL IMMEDIATE; "
    "ALTER TABLE tasks_task ADD CONSTRAINT no_beer CHECK (title <> 'beer')",
    "sqlite": "CREATE TRIGGER no_beer BEFORE UPDATE ON tasks_task WHEN NEW.title = 'beer' "
    "BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: no_beer'); END",
}


def test_what_only_the_database_refuses_is_told_too(root, milk):
    """As when a rule of the database is younger than the form."""
    with connection.cursor() as cursor:
        cursor.execute(NO_BEER[connection.vendor])

    page = edit(root, milk, title="beer")()

    assert told(page) == ["Nothing was changed. The values do not fit together."]
    assert Task.objects.get().title == "Buy milk"
    assert not LogEntry.objects.exists()


def test_staff_add_a_task_for_somebody(root, alice):
    fields = {"owner": str(alice.pk), "title": "milk", "description": "", "priority": "2", "completed": "on"}
    page = root.post(f"{TASKS}add/", {**fields, "due_at_0": "", "due_at_1": ""}, follow=True)

    task = Task.objects.get()
    assert f"{TASKS}{task.pk}/change/".encode() in page.content
    assert (task.owner, task.priority, task.version, task.completed) == (alice, 2, 1, True)
    assert LogEntry.objects.get().object_id == str(task.pk)


def test_the_owner_is_chosen_by_typing_and_not_from_a_list_of_everybody(root, alice, bob):
    page = root.get(f"{TASKS}add/").content
    query = "app_label=tasks&model_name=task&field_name=owner"
    found = root.get(f"/admin/autocomplete/?term=alice&{query}").json()["results"]

    assert b"alice@example.com" not in page
    assert found == [{"id": str(alice.pk), "text": "alice@example.com"}]


def test_what_is_in_the_trash_is_only_looked_at(root, alice):
    [task] = some_tasks(alice, "milk", verbs=("delete",))

    page = root.get(f"{TASKS}{task.pk}/change/")

    assert b'name="_save"' not in page.content
    assert root.post(f"{TASKS}{task.pk}/change/", {"title": "beer"}).status_code == 302
    assert Task.objects.get().title == "milk"


def test_a_task_is_deleted_for_good_from_the_trash_and_leaves_a_tombstone(root, as_alice, alice):
    [task] = some_tasks(alice, "milk", verbs=("delete",))
    asked = root.get(f"{TASKS}{task.pk}/delete/")

    root.post(f"{TASKS}{task.pk}/delete/", {"post": "yes"})

    assert asked.status_code == 200
    assert not Task.objects.exists()
    assert Tombstone.objects.get().version == 3
    assert as_alice("get", "/sync?since=2").json()["changes"] == [
        {"id": str(task.pk), "version": 3, "purged": True}
    ]
    assert LogEntry.objects.get().is_deletion()


def test_a_live_task_is_not_deleted_for_good(root, milk):
    assert root.get(f"{TASKS}{milk.pk}/delete/").status_code == 403
    assert root.post(f"{TASKS}{milk.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Task.objects.exists()


def test_the_history_of_a_task_is_on_its_page(root, milk):
    edit(root, milk, title="Buy oat milk")()

    assert b"Changed Title." in root.get(f"{TASKS}{milk.pk}/history/").content


def test_a_persons_page_shows_their_latest_tasks_with_links(root, alice, bob):
    tasks = some_tasks(alice, *(f"task {number:02}" for number in range(12)))
    some_tasks(bob, "beer")

    page = root.get(f"{PEOPLE}{alice.pk}/change/").content.decode()

    assert [number for number in range(12) if f"task {number:02}" in page] == list(range(2, 12))
    assert f'href="{TASKS}{tasks[-1].pk}/change/"' in page
    assert f'href="{TASKS}?owner={alice.pk}"' in page
    assert "beer" not in page


@pytest.mark.parametrize("owner", ["x", "\0", "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52", ""])
def test_an_owner_whom_nobody_knows_is_told_on_the_form(root, owner):
    response = root.post("/admin/tasks/task/add/", {"owner": owner, "title": "milk", "priority": 0})

    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert not Task.objects.exists()
