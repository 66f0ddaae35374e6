"""The admin's pages of a kind need no more than the fields that staff edit."""

import csv
import io

import pytest
from django.contrib.admin.models import LogEntry
from django.core.cache import cache

from tests.support.admin_client import form_of, messages_on, rows_of, run_action, staff_client
from tests.support.dashboard_page import index_page, panels
from tests.support.library import BOOK, SHELF, Book, Shelf

pytestmark = pytest.mark.usefixtures("library")

BOOKS, SHELVES = "/library/todo_project/book/", "/library/todo_project/shelf/"


@pytest.fixture
def emma(as_alice):
    return Book.objects.get(pk=as_alice("post", "/books", {"title": "Emma", "place": "left"}).json()["id"])


def titles(page):
    return [str(row) for row in rows_of(page)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Persuasion", "Lady Susan", "Emma"]),
        ("state=live", ["Lady Susan", "Emma"]),
        ("state=trashed", ["Persuasion"]),
        ("owner={alice}", ["Persuasion", "Emma"]),
        ("q=lady+sus", ["Lady Susan"]),
        ("q=alice@example.com", ["Persuasion", "Emma"]),
        ("q={emma}", ["Emma"]),
    ],
)
def test_books_are_listed_filtered_and_found(superuser, as_alice, as_bob, alice, emma, query, found):
    as_bob("post", "/books", {"title": "Lady Susan"})
    as_alice("delete", f"/books/{as_alice('post', '/books', {'title': 'Persuasion'}).json()['id']}")

    assert titles(superuser.get(f"{BOOKS}?{query.format(alice=alice.pk, emma=emma.pk)}")) == found


def test_a_change_is_a_version_that_clients_sync(superuser, as_alice, emma):
    page = superuser.get(f"{BOOKS}{emma.pk}/change/")
    superuser.post(f"{BOOKS}{emma.pk}/change/", {**form_of(page), "place": "right"})

    [change] = as_alice("get", "/sync").json()["changes"]
    assert (change["title"], change["place"], change["version"]) == ("Emma", "right", 2)
    assert all(f"field-{name}".encode() in page.content for name in BOOK.columns if name != "owner")


def test_the_second_of_two_editors_gets_an_error(superuser, as_alice, emma):
    form = form_of(superuser.get(f"{BOOKS}{emma.pk}/change/"))
    as_alice("post", f"/books/{emma.pk}/finish")
    page = superuser.post(f"{BOOKS}{emma.pk}/change/", {**form, "title": "x"})

    assert b"someone else changed this book." in page.content
    assert Book.objects.get().title == "Emma"


def test_staff_add_an_object_for_a_user(superuser, alice):
    superuser.post(f"{SHELVES}add/", {"owner": str(alice.pk), "name": "left"})

    assert (Shelf.objects.get().owner, Shelf.objects.get().version) == (alice, 1)


def test_books_are_trashed_restored_and_purged_by_actions(superuser, as_alice, emma):
    for action, message in [
        ("purge", "Nothing was changed. The book is not in the trash."),
        ("trash", "1 book moved to the trash."),
        ("restore", "1 book restored from the trash."),
        ("trash", "1 book moved to the trash."),
        ("purge", "1 book deleted permanently."),
    ]:
        assert messages_on(run_action(superuser, BOOKS, action, [emma])) == [message]

    gone = {"kind": "book", "id": str(emma.pk), "version": 5, "purged": True}
    assert as_alice("get", "/sync").json()["changes"] == [gone]


def test_a_csv_file_has_the_columns_of_the_kind(superuser, as_alice, emma):
    text = b"".join(run_action(superuser, BOOKS, "export", [emma]).streaming_content).decode("utf-8-sig")
    header, row = csv.reader(io.StringIO(text))

    assert header == [
        "id", "owner_id", "owner__email", "title", "place", "finished_at", "created_at", "updated_at",
        "deleted_at", "version",
    ]  # fmt: skip
    assert row[:6] == [str(emma.pk), str(emma.owner_id), "alice@example.com", "Emma", "left", ""]


def test_a_kind_without_a_trash_is_deleted_on_its_page(superuser, as_alice):
    shelf = as_alice("post", "/shelves", {"name": "left"}).json()
    page = superuser.get(SHELVES)
    actions = dict(page.context["action_form"].fields["action"].choices)
    superuser.post(f"{SHELVES}{shelf['id']}/delete/", {"post": "yes"})

    assert [*actions] == ["", "export"]
    assert b"trash" not in page.content
    assert as_alice("get", "/sync").json()["changes"] == [
        {"kind": SHELF.name, "id": shelf["id"], "version": 2, "purged": True}
    ]
    assert LogEntry.objects.get().is_deletion()


def test_a_book_outside_the_trash_is_not_deleted_on_its_page(superuser, emma):
    assert superuser.get(f"{BOOKS}{emma.pk}/delete/").status_code == 403


def test_staff_without_a_permission_on_the_kind_see_nothing_of_it(emma):
    moderator = staff_client("Moderator")

    assert moderator.get(BOOKS).status_code == 403
    assert moderator.get(f"{BOOKS}{emma.pk}/change/").status_code == 403


@pytest.fixture
def uncached():
    """No figures of another test, which may know other kinds."""
    cache.clear()
    yield
    cache.clear()


@pytest.mark.usefixtures("uncached")
def test_the_dashboard_counts_the_objects_of_each_kind(superuser, as_alice, as_bob, emma):
    as_bob("delete", f"/books/{as_bob('post', '/books', {'title': 'Lady Susan'}).json()['id']}")
    as_alice("post", "/shelves", {"name": "left"})

    assert panels(index_page(superuser))["Objects"] == {
        "tasks": "0", "projects": "0", "labels": "0", "books": "2", "shelves": "1",
    }  # fmt: skip
