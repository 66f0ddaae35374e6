"""Every kind of object has what a task has: a second one, and one without a trash, show it over HTTP."""

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.kinds import TASK
from tasks.ledger import reads
from tasks.ledger.kinds import kinds
from tasks.ledger.models import Clock, Tombstone
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID, download_export
from tests.support.commands import purge, run
from tests.support.library import Book, Shelf
from tests.support.tasks import create_task, entry, position

pytestmark = pytest.mark.usefixtures("library")


def create(caller, path="/books", **fields):
    response = caller("post", path, {"name" if path == "/shelves" else "title": "Emma", **fields})
    assert response.status_code == 201, response.content
    return response.json()


def bulk(caller, *operations):
    return caller("post", "/bulk", {"operations": list(operations)})


def changes(caller, query=""):
    return caller("get", f"/sync?{query}").json()["changes"]


@pytest.fixture
def book(as_alice):
    return create(as_alice, place="left shelf")


@pytest.fixture
def shelf(as_alice):
    return create(as_alice, "/shelves")


# Create, read, update


def test_a_book_has_the_fields_of_every_object_around_its_own(book, alice):
    assert list(book) == [
        "id", "user_id", "title", "place", "finished_at", "created_at", "updated_at", "deleted_at", "version",
    ]  # fmt: skip
    assert (book["user_id"], book["version"], book["deleted_at"]) == (str(alice.pk), 1, None)


def test_put_keeps_a_field_without_a_default_that_is_not_sent(as_alice, book):
    response = as_alice("put", f"/books/{book['id']}", {"title": "Persuasion"})

    assert response.status_code == 200
    assert (response.json()["title"], response.json()["place"]) == ("Persuasion", "left shelf")
    assert as_alice("put", f"/books/{book['id']}", {"title": "Emma", "place": ""}).json()["place"] == ""
    assert_error(as_alice("put", f"/books/{book['id']}", {"place": "x"}), 400, "VALIDATION_ERROR")


def test_a_created_object_has_its_url_and_etag(as_alice):
    response = as_alice("post", "/books", {"title": "Emma"})
    location = response["Location"].removeprefix("/api/v1")

    assert as_alice("get", location).json() == response.json()
    assert as_alice("get", location)["ETag"] == response["ETag"] == '"1"'
    assert as_alice("get", location, **{"If-None-Match": '"1"'}).status_code == 304


def test_if_match_guards_every_write(as_alice, book):
    stale, current = {"If-Match": '"9"'}, {"If-Match": '"1"'}
    for method, path, body in [
        ("patch", f"/books/{book['id']}", {"title": "Persuasion"}),
        ("put", f"/books/{book['id']}", {"title": "Persuasion"}),
        ("post", f"/books/{book['id']}/finish", None),
        ("delete", f"/books/{book['id']}", None),
    ]:
        error = assert_error(as_alice(method, path, body, **stale), 412, "PRECONDITION_FAILED")
        assert error["details"] == {"current": book}
    assert as_alice("post", f"/books/{book['id']}/finish", **current).json()["finished_at"]


def test_a_verb_changes_the_object_once(as_alice, book):
    first, again = (as_alice("post", f"/books/{book['id']}/finish") for _ in "12")

    assert again.content == first.content
    assert first.json()["finished_at"] == first.json()["updated_at"]
    assert first["ETag"] == '"2"'


def test_an_idempotency_key_creates_one_object(as_alice):
    first, again = (as_alice("post", "/books", {"title": "Emma"}, **{"Idempotency-Key": "k"}) for _ in "12")

    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert Book.objects.count() == 1


def test_a_dry_run_changes_nothing(as_alice, book):
    for method, path, body in [
        ("post", "/books", {"title": "Persuasion"}),
        ("post", f"/books/{book['id']}/finish", None),
        ("delete", f"/books/{book['id']}", None),
    ]:
        tried = as_alice(method, f"{path}?dry_run=true", body)
        assert (tried.status_code < 300, tried["Dry-Run"], tried.json()["version"]) == (True, "true", 2)
    assert as_alice("get", f"/books/{book['id']}").json() == book
    assert Book.objects.count() == 1


def test_a_key_creates_one_object_of_its_kind(as_alice, alice):
    body = {"title": "Emma", "key": "austen/emma"}
    book, again, task = (as_alice("post", path, body) for path in ("/books", "/books", "/tasks"))
    as_alice("delete", f"/books/{book.json()['id']}"), as_alice("delete", "/trash?kind=book")

    assert [each.status_code for each in (book, again, task)] == [201, 200, 201]
    assert again.json() == book.json()
    assert book.json()["id"] == str(uuid.uuid5(alice.pk, "book:austen/emma")) != task.json()["id"]
    assert_error(as_alice("post", "/books", body), 410, "GONE")
    assert as_alice("post", "/tasks", body).status_code == 200


# Lists


def test_a_list_contains_one_kind(as_alice, book, shelf, task):
    for path, each in (("/books", book), ("/shelves", shelf), ("/tasks", task)):
        assert as_alice("get", path).json()["results"] == [each]
        assert as_alice("get", f"{path}?ids={book['id']},{shelf['id']},{task['id']}").json()["results"] == [
            each
        ]


def test_the_filters_of_a_kind_are_its_own(as_alice, book):
    finished = as_alice("post", f"/books/{create(as_alice)['id']}/finish").json()

    assert as_alice("get", "/books?finished=true").json()["results"] == [finished]
    assert as_alice("get", "/books?q=emm&ordering=created_at").json()["results"] == [book, finished]
    assert_error(as_alice("get", "/books?completed=true"), 400, "VALIDATION_ERROR", field="completed")
    assert_error(as_alice("get", "/tasks?finished=true"), 400, "VALIDATION_ERROR", field="finished")


@pytest.mark.parametrize("path", ["/books", "/books/{id}", "/trash?kind=book"])
def test_selected_fields_come_with_id_and_version(as_alice, book, path):
    url = path.format(id=book["id"])
    if "trash" in path:
        as_alice("delete", f"/books/{book['id']}")
    answer = as_alice("get", f"{url}{'&' if '?' in url else '?'}fields=place").json()

    assert list(answer.get("results", [answer])[0]) == ["id", "place", "version"]
    unknown = as_alice("get", f"/books/{book['id']}?fields=priority")
    assert_error(unknown, 400, "VALIDATION_ERROR", field="fields.0", constraint="invalid_choice")


def test_a_change_of_one_kind_changes_the_etag_of_all_lists(as_alice, task):
    etag = as_alice("get", "/tasks")["ETag"]
    assert as_alice("get", "/books", **{"If-None-Match": etag}).status_code == 304
    create(as_alice)

    assert as_alice("get", "/tasks", **{"If-None-Match": etag}).status_code == 200


# The feed


def test_the_etag_of_lists_depends_on_the_fields_of_an_object(as_alice, task, monkeypatch):
    """So that a client reads a list again after a release with another field."""
    before = as_alice("get", "/tasks")["ETag"]
    # In its place: lists of kinds are in the order of their declaration.
    others = {name: kind for name, kind in kinds.items() if name != "task"}
    monkeypatch.setattr(reads, "kinds", {"task": replace(TASK, fields=TASK.fields[:-1]), **others})

    assert as_alice("get", "/tasks")["ETag"] != before


def test_the_feed_has_one_order_over_all_kinds(as_alice, book):
    task, shelf = create_task(as_alice), create(as_alice, "/shelves")
    finished = as_alice("post", f"/books/{book['id']}/finish").json()
    as_alice("delete", f"/shelves/{shelf['id']}")

    gone = {"kind": "shelf", "id": shelf["id"], "version": 5, "purged": True}
    assert changes(as_alice) == [entry(task), {"kind": "book", **finished}, gone]
    since = "0"
    for number, change in enumerate(changes(as_alice), start=1):
        page = as_alice("get", f"/sync?since={since}&limit=1").json()
        since = page["since"]
        assert (page["changes"], page["has_more"]) == ([change], number < 3)


def test_selected_fields_of_the_feed_are_those_that_each_kind_has(as_alice, book, task, shelf):
    assert changes(as_alice, "fields=place,title") == [
        {"kind": "book", "id": book["id"], "title": "Emma", "place": "left shelf", "version": 1},
        {"kind": "task", "id": task["id"], "title": "milk", "version": 2},
        {"kind": "shelf", "id": shelf["id"], "version": 3},
    ]
    unknown = as_alice("get", "/sync?fields=plaice")
    assert_error(unknown, 400, "VALIDATION_ERROR", field="fields.0", constraint="invalid_choice")


# Bulk


def test_a_bulk_request_changes_objects_of_several_kinds(as_alice, alice, book, task, shelf):
    new = str(uuid.uuid5(alice.pk, "book:new"))
    response = bulk(
        as_alice,
        {"op": "create", "kind": "book", "data": {"title": "Persuasion", "key": "new"}},
        {"op": "finish", "kind": "book", "id": new},
        {"op": "complete", "id": task["id"]},
        {"op": "update", "kind": "shelf", "id": shelf["id"], "data": {"name": "right"}},
        {"op": "delete", "kind": "book", "id": book["id"], "if_match": book["version"]},
        {"op": "create", "kind": "shelf", "data": {"name": "Emma", "key": "new"}},
    )

    assert response.status_code == 200, response.content
    results = response.json()["results"]
    assert [each["kind"] for each in results] == ["book", "book", "task", "shelf", "book", "shelf"]
    assert results[0] == results[1]
    assert [each["version"] for each in results] == [5, 5, 6, 7, 8, 9]
    assert (results[1]["id"], bool(results[1]["finished_at"])) == (new, True)
    assert (results[3]["name"], bool(results[4]["deleted_at"])) == ("right", True)
    assert changes(as_alice, f"since={position(as_alice, 3)}") == results[1:]


@pytest.mark.parametrize(
    ("operation", "field", "message"),
    [
        (
            {"op": "create", "kind": "film", "data": {}},
            "kind",
            "Kind must be one of task, project, label, book, shelf.",
        ),
        (
            {"op": "finish", "id": UNKNOWN_ID},
            "op",
            "Op must be one of create, update, complete, reopen, move, skip, delete, restore for a task.",
        ),
        (
            {"op": "restore", "kind": "shelf", "id": UNKNOWN_ID},
            "op",
            "Op must be one of create, update, delete for a shelf.",
        ),
        ({"op": "create", "kind": "book", "data": {"name": "x"}}, "name", None),
        ({"op": "create", "kind": "book", "data": {}}, "title", None),
        ({"op": "update", "kind": "book", "id": UNKNOWN_ID, "data": {"completed": True}}, "completed", None),
        ({"op": "update", "kind": "shelf", "id": UNKNOWN_ID, "data": {"key": "x"}}, "key", None),
    ],
)
def test_an_error_names_the_operation_and_what_is_allowed(as_alice, book, operation, field, message):
    good = {"op": "finish", "kind": "book", "id": book["id"]}
    response = bulk(as_alice, good, good, good, operation)

    error = assert_error(response, 400, "VALIDATION_ERROR", field=f"operations.3.{field}")
    if message:
        assert error["message"] == message
    assert as_alice("get", f"/books/{book['id']}").json() == book


@pytest.mark.parametrize("verb", ["update", "delete"])
@pytest.mark.parametrize("kind", ["task", "book", "shelf"])
def test_an_id_of_another_kind_is_not_found(as_alice, book, task, shelf, kind, verb):
    objects = {"task": task, "book": book, "shelf": shelf}
    data: dict[str, Any] = {"data": {}} if verb == "update" else {}
    for other in objects.keys() - {kind}:
        operation = {"op": verb, "kind": kind, "id": objects[other]["id"], **data}
        right = {"op": verb, "kind": other, "id": objects[other]["id"], **data}
        missing = bulk(as_alice, {**operation, "id": UNKNOWN_ID})
        for operations in ([operation], [right, operation]):
            response = bulk(as_alice, *operations)
            field = f"operations.{len(operations) - 1}.id"
            assert_error(response, 404, "NOT_FOUND", field=field, constraint="not_found")
        assert_error(missing, 404, "NOT_FOUND", field="operations.0.id", constraint="not_found")
    for path in ("/tasks", "/books", "/shelves"):
        assert len(as_alice("get", path).json()["results"]) == 1


def test_a_stale_if_match_in_a_bulk_returns_the_current_object_with_its_kind(as_alice, book):
    response = bulk(as_alice, {"op": "finish", "kind": "book", "id": book["id"], "if_match": 9})

    error = assert_error(response, 412, "PRECONDITION_FAILED", field="operations.0.if_match")
    assert error["details"]["current"] == {"kind": "book", **book}


# The trash


def test_the_trash_lists_restores_and_purges_the_kind_that_is_named(as_alice, book, task):
    trashed = as_alice("delete", f"/books/{book['id']}").json()
    as_alice("delete", f"/tasks/{task['id']}")

    assert as_alice("get", "/trash?kind=book").json()["results"] == [trashed]
    assert [each["id"] for each in as_alice("get", "/trash").json()["results"]] == [task["id"]]
    assert as_alice("get", f"/trash/{book['id']}?kind=book").json() == trashed
    for path in (f"/books/{book['id']}", f"/trash/{book['id']}", f"/trash/{task['id']}?kind=book"):
        assert_error(as_alice("get", path), 404, "NOT_FOUND")
    assert_error(as_alice("post", f"/trash/{book['id']}/restore"), 404, "NOT_FOUND")
    assert as_alice("post", f"/trash/{book['id']}/restore?kind=book").json()["deleted_at"] is None
    as_alice("delete", f"/books/{book['id']}")
    assert as_alice("delete", f"/trash/{book['id']}?kind=book").json() == {
        "kind": "book", "id": book["id"], "version": 7, "purged": True,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["shelf", "film"])
def test_the_trash_of_a_kind_without_one_is_an_error(as_alice, kind):
    error = assert_error(as_alice("get", f"/trash?kind={kind}"), 400, "VALIDATION_ERROR", field="kind")

    assert error["message"] == "Kind must be one of task, project, book."


@pytest.mark.parametrize(("query", "left"), [("", []), ("?kind=book", ["task"]), ("?kind=task", ["book"])])
def test_emptying_the_trash_purges_all_kinds_or_one(as_alice, book, task, shelf, query, left):
    as_alice("delete", f"/books/{book['id']}"), as_alice("delete", f"/tasks/{task['id']}")

    assert as_alice("delete", f"/trash{query}").json() == {"purged": 2 - len(left)}
    kept = [each["kind"] for each in changes(as_alice) if not each.get("purged")]
    assert kept == ["shelf", *left]


def test_deleting_an_object_of_a_kind_without_a_trash_is_final(as_alice, shelf):
    as_alice("patch", f"/shelves/{shelf['id']}", {"name": "right"})
    assert_error(
        as_alice("delete", f"/shelves/{shelf['id']}", **{"If-Match": '"1"'}), 412, "PRECONDITION_FAILED"
    )
    response = as_alice("delete", f"/shelves/{shelf['id']}")

    assert response.json() == {"kind": "shelf", "id": shelf["id"], "version": 3, "purged": True}
    assert "ETag" not in response
    assert_error(as_alice("delete", f"/shelves/{shelf['id']}"), 404, "NOT_FOUND")
    assert_error(as_alice("get", f"/shelves/{shelf['id']}"), 404, "NOT_FOUND")
    assert changes(as_alice) == [response.json()]
    assert not Shelf.objects.exists()


def test_a_bulk_deletes_an_object_without_a_trash_finally(as_alice, alice, shelf):
    new = str(uuid.uuid5(alice.pk, "shelf:new"))
    create = {"op": "create", "kind": "shelf", "data": {"name": "right", "key": "new"}}
    response = bulk(
        as_alice,
        {"op": "delete", "kind": "shelf", "id": shelf["id"]},
        create,
        {"op": "delete", "kind": "shelf", "id": new},
    )

    first, *rest = response.json()["results"]
    assert first == {"kind": "shelf", "id": shelf["id"], "version": 2, "purged": True}
    assert rest == [{"kind": "shelf", "id": new, "version": 4, "purged": True}] * 2
    assert not Shelf.objects.exists()
    assert changes(as_alice) == [first, rest[0]]
    assert_error(bulk(as_alice, create), 410, "GONE")


def test_an_object_that_a_bulk_has_deleted_finally_is_gone_for_its_later_operations(as_alice, alice):
    create = {"op": "create", "kind": "shelf", "data": {"name": "right", "key": "new"}}
    new = {"kind": "shelf", "id": str(uuid.uuid5(alice.pk, "shelf:new"))}
    delete = {"op": "delete", **new}
    changes = [({"op": "update", **new, "data": {"name": "left"}}, 404), (delete, 404), (create, 410)]

    for later, status in changes:
        assert bulk(as_alice, create, delete, later).status_code == status
    assert not Tombstone.objects.exists()


# Counts, export, purge


def test_the_clock_counts_the_objects_of_each_kind(as_alice, alice, book, shelf):
    create_task(as_alice, completed=True)
    as_alice("delete", f"/books/{create(as_alice)['id']}")
    counts = {"book": {"live": 1, "trashed": 1}, "shelf": {"live": 1}, "task": {"completed": 1}}

    assert Clock.objects.get(owner=alice).counts == counts
    as_alice("delete", "/trash")
    as_alice("delete", f"/shelves/{shelf['id']}")
    assert Clock.objects.get(owner=alice).counts == {"book": {"live": 1}, "task": {"completed": 1}}


def test_counts_of_every_kind_are_repaired(as_alice, alice, book, shelf):
    Clock.objects.filter(owner=alice).update(counts={"book": {"live": 7}})
    run("recount")

    assert Clock.objects.get(owner=alice).counts == {"book": {"live": 1}, "shelf": {"live": 1}}


def test_a_retry_shows_nothing_of_an_object_that_was_purged(as_alice):
    key = {"Idempotency-Key": "k"}
    shelf = as_alice("post", "/shelves", {"name": "left"}, **key).json()
    as_alice("delete", f"/shelves/{shelf['id']}")
    retry = as_alice("post", "/shelves", {"name": "left"}, **key)

    assert (retry.status_code, retry["Idempotent-Replayed"]) == (201, "true")
    assert retry.json() == {"id": shelf["id"], "version": 1}
    assert not Shelf.objects.exists()


def test_an_export_has_a_section_for_each_kind(as_alice, book, shelf):
    trashed = as_alice("delete", f"/books/{create(as_alice)['id']}").json()
    _, content = download_export(as_alice)
    exported = json.loads(content)

    assert exported["books"] == [book, trashed]
    assert exported["shelves"] == [shelf]
    assert exported["tasks"] == []


def test_the_purge_command_purges_the_trash_of_each_kind(as_alice, book, task, shelf):
    as_alice("delete", f"/books/{book['id']}"), as_alice("delete", f"/tasks/{task['id']}")

    assert purge("--trash-days", "0", "--only", "trash")[0] == "trash: 2 deleted"
    assert {each.kind for each in Tombstone.objects.all()} == {"book", "task"}
    assert [each["kind"] for each in changes(as_alice)] == ["shelf", "task", "book"]


def test_a_user_is_erased_with_the_objects_of_all_kinds(as_alice, alice, book, shelf):
    assert as_alice("delete", "/me", {"password": "correct horse battery"}).status_code in (200, 204)
    assert not Book.objects.exists()
    assert not Shelf.objects.exists()


# Cost


def queries_of(caller, *request):
    with CaptureQueriesContext(connection) as queries:
        assert caller(*request).status_code == 200
    return len(queries)


@pytest.mark.parametrize("number", [1, 20])
def test_requests_for_several_kinds_cost_the_same_for_any_number_of_objects(as_alice, alice, task, number):
    def operations(**by_kind):
        return {
            "operations": [
                {"kind": kind, **operation(f"{each}")}
                for kind, operation in by_kind.items()
                for each in range(number)
            ]
        }

    def create(name):
        return lambda key: {"op": "create", "data": {name: "x", "key": key}}

    def change(kind, op, **more):
        return lambda key: {"op": op, "id": str(uuid.uuid5(alice.pk, f"{kind}:{key}")), **more}

    new = operations(task=create("title"), book=create("title"), shelf=create("name"))
    changed = operations(
        task=change("task", "complete"),
        book=change("book", "update", data={"title": "y"}),
        shelf=change("shelf", "delete"),
    )

    # the user, savepoint, clock, tombstones of the keys, clock, release; for each kind a read and an INSERT
    assert queries_of(as_alice, "post", "/bulk", new) == 12
    # the same with new tombstones and stored responses instead; for each kind a read, and an UPDATE or DELETE
    # also the subtasks
    assert queries_of(as_alice, "post", "/bulk", changed) == 14
    assert queries_of(as_alice, "get", "/sync") == 2  # the user, the changes of all kinds
