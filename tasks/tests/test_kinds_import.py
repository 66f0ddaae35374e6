"""manage.py import_user: every kind of object."""

import json

import pytest
from django.core.management import CommandError

from tasks.ledger.models import Clock
from tests.support.assertions import assert_error
from tests.support.caller import download_export, signed_in
from tests.support.commands import run
from tests.support.tasks import create_task

pytestmark = pytest.mark.usefixtures("library")


@pytest.fixture
def exported(as_alice):
    """The export of Alice, who has objects of every kind, changed in another order than they were created."""
    book = as_alice("post", "/books", {"title": "Emma", "place": " left "}).json()
    gone = as_alice("post", "/books", {"title": "Persuasion"}).json()
    as_alice("post", "/shelves", {"name": "left", "key": "left"})
    create_task(as_alice)
    as_alice("delete", f"/books/{gone['id']}")
    as_alice("post", f"/books/{book['id']}/finish")
    return json.loads(download_export(as_alice)[1])


@pytest.fixture
def import_alice(tmp_path):
    def import_file(exported, *options):
        file = tmp_path / "alice.json"
        file.write_text(json.dumps(exported))
        return run("import_user", file, "--into", "alice@example.com", *options)[0]

    return import_file


def without_versions(exported):
    return {
        kind: [{**each, "version": 0} for each in exported[kind]] for kind in ("tasks", "books", "shelves")
    }


def test_objects_of_every_kind_are_restored_unchanged(exported, import_alice, alice):
    counts = Clock.objects.get().counts
    run("erase_user", alice.email, "--yes")
    report = import_alice(exported)

    assert "books: 2 new, 0 equal, 0 different\nshelves: 1 new, 0 equal, 0 different\n" in report
    restored = json.loads(download_export(signed_in(alice))[1])
    assert without_versions(restored) == without_versions(exported)
    assert Clock.objects.get().counts == counts
    changes = signed_in(alice)("get", "/sync").json()["changes"]
    assert sorted(each["version"] for each in changes) == [each["version"] for each in changes]
    assert len({each["version"] for each in changes}) == 4


def test_equal_objects_are_not_changed_and_different_ones_are_replaced(exported, import_alice, as_alice):
    assert "books: 0 new, 2 equal, 0 different\n" in import_alice(exported)
    emma = exported["books"][-1]["id"]
    as_alice("patch", f"/books/{emma}", {"place": "right"})

    assert "books: 0 new, 1 equal, 1 different\n" in import_alice(exported, "--on-conflict", "replace")
    assert as_alice("get", f"/books/{emma}").json()["place"] == "left"


def test_an_id_of_another_kind_is_rejected(exported, import_alice, as_alice):
    exported["books"][1]["id"] = exported["tasks"][0]["id"]

    with pytest.raises(CommandError, match="books.1.id: A task has this id."):
        import_alice(exported, "--on-conflict", "replace")
    assert len(as_alice("get", "/sync").json()["changes"]) == 4


def test_an_object_without_a_trash_is_not_imported_as_trashed(exported, import_alice, alice):
    exported["shelves"][0]["deleted_at"] = "2030-01-31T09:00:00Z"
    run("erase_user", alice.email, "--yes")

    with pytest.raises(CommandError, match="shelves.0.deleted_at: Deleted at must be null."):
        import_alice(exported)


def test_an_imported_object_can_be_created_again_with_its_key(exported, import_alice, alice):
    [shelf] = exported["shelves"]
    run("erase_user", alice.email, "--yes")
    import_alice(exported)
    caller = signed_in(alice)

    assert caller("post", "/shelves", {"name": "x", "key": "left"}).json()["id"] == shelf["id"]
    caller("delete", f"/shelves/{shelf['id']}")
    assert_error(caller("post", "/shelves", {"name": "x", "key": "left"}), 410, "GONE")
