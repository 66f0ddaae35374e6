"""Staff find, view and change tasks; the owner's clients sync each change."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError

from tasks.admin import TaskAdmin
from tasks.ledger.models import Clock, Tombstone
from tasks.models import Task
from tests.support.admin_client import (
    TASKS,
    USERS,
    create_tasks,
    forbid_open_beer,
    form_of,
    messages_on,
    rows_of,
    staff_client,
)
from tests.support.tasks import position
from tests.support.threads import run_each


@pytest.fixture
def milk(alice):
    [task] = create_tasks(alice, "Buy milk")
    return task


def titles(page):
    return [task.title for task in rows_of(page)]


def test_the_list_shows_all_users_tasks_newest_first(superuser, alice, bob):
    create_tasks(alice, "milk")
    create_tasks(bob, "beer")

    page = superuser.get(TASKS)

    assert titles(page) == ["beer", "milk"]
    assert f'<a href="{USERS}{alice.pk}/change/">alice@example.com</a>'.encode() in page.content


@pytest.mark.parametrize(
    ("query", "found"),
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
def test_tasks_are_found(superuser, alice, bob, query, found):
    create_tasks(alice, "open")
    create_tasks(alice, "completed", verbs=("complete",))
    create_tasks(alice, "trashed", verbs=("delete",))
    [bread, _] = create_tasks(bob, "bread", "@home")
    if "state=open" in query:
        create_tasks(bob, "another's", verbs=("complete",))
        found = found if "owner" in query else ["@home", "bread", "open"]

    page = superuser.get(f"{TASKS}?{query.format(bread=bread.pk, alice=alice.pk, bob=bob.pk)}")

    assert sorted(titles(page)) == sorted(found)


def test_overdue_tasks_are_sorted_by_due_date(superuser, alice):
    overdue, long_overdue, planned = create_tasks(alice, "overdue", "long overdue", "planned")
    for task, due in ((overdue, "2020-01-02"), (long_overdue, "2020-01-01"), (planned, "2999-01-01")):
        Task.objects.filter(pk=task.pk).update(due_at=f"{due}T00:00Z")

    assert titles(superuser.get(f"{TASKS}?state=overdue")) == ["long overdue", "overdue"]
    assert titles(superuser.get(f"{TASKS}?state=open")) == ["long overdue", "overdue", "planned"]


def test_two_letters_are_too_few_to_search_for(superuser, milk):
    page = superuser.get(f"{TASKS}?q=mi")

    assert titles(page) == []
    assert messages_on(page) == ["Enter a word of at least 3 letters or digits."]


@pytest.mark.parametrize("query", ["owner__password__startswith=argon2", "title__regex=(a*)*b", "version=1"])
def test_lookups_that_no_filter_offers_are_rejected(superuser, milk, query):
    assert superuser.get(f"{TASKS}?{query}").status_code == 400


@pytest.mark.parametrize("query", ["owner=alice", "p=999999", "p=x", "created_at__gte=x", "o=1.-2", "e=1"])
def test_invalid_values_in_the_url_are_no_server_error(superuser, milk, query):
    assert superuser.get(f"{TASKS}?{query}", follow=True).status_code == 200


def test_dates_have_one_unambiguous_format(superuser, milk):
    Task.objects.filter(pk=milk.pk).update(created_at="2026-03-04T05:06:07Z")

    assert b"2026-03-04 05:06 UTC" in superuser.get(TASKS).content
    assert b"2026-03-04 05:06 UTC" in superuser.get(f"{TASKS}{milk.pk}/change/").content


def edit(client, task, **changes):
    page = client.get(f"{TASKS}{task.pk}/change/")
    fields = {name: getattr(task, name) for name in ("title", "description", "priority")} | form_of(page)
    return lambda: client.post(f"{TASKS}{task.pk}/change/", {**fields, **changes}, follow=True)


def test_a_change_is_a_new_version_that_the_owners_clients_sync(superuser, as_alice, alice, milk):
    since = as_alice("get", "/sync").json()["since"]

    due = {"due_at_0": "2027-01-31", "due_at_1": "09:00"}
    page = edit(superuser, milk, title="Buy oat milk", completed="on", **due)()

    assert messages_on(page)[0].startswith("The task “")
    [change] = as_alice("get", f"/sync?since={since}").json()["changes"]
    assert (change["title"], change["completed"], change["version"]) == ("Buy oat milk", True, 2)
    assert change["completed_at"] is not None
    assert change["due_at"] == "2027-01-31T09:00:00.000000Z"
    assert Clock.objects.get(owner=alice).tick == 2
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.user.email) == (str(milk.pk), "superuser@example.com")
    assert entry.get_change_message() == "Changed Title, Completed and Due at."
    assert b"Changed Title, Completed and Due at." in superuser.get(f"{TASKS}{milk.pk}/history/").content


def test_saving_an_unchanged_form_writes_nothing(superuser, alice):
    [task] = create_tasks(alice, "milk")
    stored = {"title": " two\nlines", "description": "  two\nlines ", "due_at": "2027-01-31T09:00:00.123456Z"}
    Task.objects.filter(pk=task.pk).update(**stored)

    edit(superuser, task, title="twolines", description="  two\r\nlines ")()

    assert Task.objects.filter(pk=task.pk, version=1, **stored).exists()
    assert Clock.objects.get(owner=alice).tick == 1


def test_the_second_of_two_editors_gets_an_error(superuser, as_alice, milk):
    second = edit(superuser, milk, title="mine")
    as_alice("patch", f"/tasks/{milk.pk}", {"title": "theirs"})
    page = second()

    assert b"someone else changed this task." in page.content
    assert Task.objects.get().title == "theirs"
    assert not LogEntry.objects.exists()


def test_saving_a_task_that_was_trashed_meanwhile_shows_a_message(superuser, as_alice, milk):
    second = edit(superuser, milk, title="mine", due_date="2027-01-31")
    as_alice("delete", f"/tasks/{milk.pk}")

    page = second()

    assert messages_on(page) == [
        "Your changes were not saved because this task is now in the trash. "
        "You had entered: Title: mine; Due date: 2027-01-31."
    ]
    assert Task.objects.get().title == "Buy milk"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_one_of_many_concurrent_editors_wins(django_user_model):
    client, alice = staff_client("superuser"), django_user_model.objects.create_user("alice@example.com")
    for _ in range(5):
        [task] = create_tasks(alice, "milk")
        pages = run_each(*(edit(client, task, title=f"{number}") for number in range(6)))

        lost = [page for page in pages if b"someone else changed this task." in page.content]
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
        ({"seen_version": ""}, "someone else changed this task."),
        ({"seen_version": "x"}, "Enter a whole number."),
        ({"seen_version": "9" * 30}, "someone else changed this task."),
    ],
)
def test_invalid_values_are_errors_on_the_form(superuser, milk, changes, message):
    page = edit(superuser, milk, **changes)()

    assert page.status_code == 200
    assert message in page.content.decode()
    assert Task.objects.get().version == 1


def test_a_constraint_that_only_the_database_checks_is_a_message(superuser, milk):
    """For example a constraint that is newer than the running code."""
    forbid_open_beer()

    page = edit(superuser, milk, title="beer")()

    assert messages_on(page) == ["Nothing was changed. The values are inconsistent."]
    assert Task.objects.get().title == "Buy milk"
    assert not LogEntry.objects.exists()


def test_staff_add_a_task_for_a_user(superuser, alice):
    fields = {"owner": str(alice.pk), "title": "milk", "description": "", "priority": "2", "completed": "on"}
    page = superuser.post(f"{TASKS}add/", {**fields, "due_at_0": "", "due_at_1": ""}, follow=True)

    task = Task.objects.get()
    assert f"{TASKS}{task.pk}/change/".encode() in page.content
    assert (task.owner, task.priority, task.version, task.completed) == (alice, 2, 1, True)
    assert LogEntry.objects.get().object_id == str(task.pk)


def test_the_owner_field_is_an_autocomplete(superuser, alice, bob):
    page = superuser.get(f"{TASKS}add/").content

    assert b'"/admin/autocomplete/"' in page
    assert b"alice@example.com" not in page


def test_a_task_in_the_trash_is_read_only(superuser, alice):
    [task] = create_tasks(alice, "milk", verbs=("delete",))

    page = superuser.get(f"{TASKS}{task.pk}/change/")

    assert b'name="_save"' not in page.content
    assert superuser.post(f"{TASKS}{task.pk}/change/", {"title": "beer"}).status_code == 302
    assert Task.objects.get().title == "milk"


def test_deleting_a_task_from_the_trash_leaves_a_tombstone(superuser, as_alice, alice):
    [task] = create_tasks(alice, "milk", verbs=("delete",))
    query = superuser.get(f"{TASKS}{task.pk}/delete/")

    superuser.post(f"{TASKS}{task.pk}/delete/", {"post": "yes"})

    assert query.status_code == 200
    assert not Task.objects.exists()
    assert Tombstone.objects.get().version == 3
    assert as_alice("get", f"/sync?since={position(as_alice, 2)}").json()["changes"] == [
        {"kind": "task", "id": str(task.pk), "version": 3, "purged": True}
    ]
    assert LogEntry.objects.get().is_deletion()


def test_a_deletion_that_the_database_refuses_is_a_message(superuser, alice):
    [task] = create_tasks(alice, "milk", verbs=("delete",))
    Tombstone.objects.create(
        owner=alice, kind="task", object_id=task.pk, version=100, purged_at=task.updated_at
    )
    page = superuser.post(f"{TASKS}{task.pk}/delete/", {"post": "yes"}, follow=True)

    assert messages_on(page) == ["Nothing was changed. An object with these values already exists."]
    assert Task.objects.get() == task


def test_an_error_that_staff_cannot_correct_is_no_message(superuser, milk, monkeypatch):
    def fail(*args):
        raise OperationalError("connection refused")

    page = f"{TASKS}{milk.pk}/change/"
    form = {**form_of(superuser.get(page)), "title": "Buy bread", "description": "", "priority": "0"}
    monkeypatch.setattr(TaskAdmin, "save_model", fail)

    assert superuser.post(page, form).status_code == 503


def test_a_live_task_cannot_be_deleted_permanently(superuser, milk):
    assert superuser.get(f"{TASKS}{milk.pk}/delete/").status_code == 403
    assert superuser.post(f"{TASKS}{milk.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Task.objects.exists()


def test_the_user_page_shows_the_latest_tasks_with_links(superuser, alice, bob):
    tasks = create_tasks(alice, *(f"task {number:02}" for number in range(12)))
    create_tasks(bob, "beer")

    page = superuser.get(f"{USERS}{alice.pk}/change/").content.decode()

    assert [number for number in range(12) if f"task {number:02}" in page] == list(range(2, 12))
    assert f'href="{TASKS}{tasks[-1].pk}/change/"' in page
    assert f'href="{TASKS}?owner={alice.pk}"' in page
    assert "beer" not in page


@pytest.mark.parametrize("owner", ["x", "\0", "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52", ""])
def test_an_unknown_owner_is_an_error_on_the_form(superuser, owner):
    response = superuser.post("/admin/tasks/task/add/", {"owner": owner, "title": "milk", "priority": 0})

    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert not Task.objects.exists()
