"""GET /sync: the feed of changes for clients that keep a copy."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.tasks import create_task, entry, position, prune_tombstones, store_tasks, trashed


def sync_page(caller, **query):
    response = caller("get", "/sync?" + "&".join(f"{name}={value}" for name, value in query.items()))
    assert response.status_code == 200, response.content
    return response.json()


def versions(page):
    return [change["version"] for change in page["changes"]]


def bulk(caller, *operations):
    return caller("post", "/bulk", {"operations": operations})


def purged(caller):
    """Create a task and delete it permanently, which uses three versions; return its id."""
    task = trashed(caller)
    caller("delete", f"/trash/{task['id']}")
    return task["id"]


# Changes


def test_an_account_without_tasks_has_no_changes(as_alice):
    assert sync_page(as_alice) == {"changes": [], "since": "0", "has_more": False}


def test_a_new_task_is_listed_as_it_was_returned(as_alice):
    task = create_task(
        as_alice, "milk", description='two "litres"\n\\ ✓', priority=2, due_at="2027-01-31T09:00:00Z"
    )

    assert sync_page(as_alice) == {
        "changes": [entry(task)],
        "since": position(as_alice, 1),
        "has_more": False,
    }


def test_changes_are_ordered_by_version_and_contain_each_task_once_in_its_current_state(as_alice):
    first, second, third = [create_task(as_alice, title) for title in ("first", "second", "third")]
    as_alice("patch", f"/tasks/{first['id']}", {"title": "changed"})
    as_alice("post", f"/tasks/{second['id']}/complete")
    page = sync_page(as_alice)

    assert versions(page) == [3, 4, 5]
    assert [change["title"] for change in page["changes"]] == ["third", "changed", "second"]
    assert page["changes"][0] == entry(third)
    assert page["changes"][2]["completed"] is True
    assert (page["since"], page["has_more"]) == (position(as_alice, 5), False)


def test_a_trashed_task_is_listed_with_deleted_at(as_alice):
    task = trashed(as_alice)

    assert task["deleted_at"] is not None
    assert sync_page(as_alice)["changes"] == [entry(task)]


def test_a_restored_task_is_listed_without_deleted_at(as_alice):
    task = trashed(as_alice)
    restored = as_alice("post", f"/trash/{task['id']}/restore").json()

    assert sync_page(as_alice, since=position(as_alice, 2))["changes"] == [entry(restored)]
    assert restored["deleted_at"] is None


def test_a_purged_task_is_listed_as_a_tombstone(as_alice):
    gone = purged(as_alice)

    assert sync_page(as_alice)["changes"] == [{"kind": "task", "id": gone, "version": 3, "purged": True}]


def test_emptying_the_trash_lists_a_tombstone_for_each_task(as_alice):
    gone = [trashed(as_alice)["id"] for _ in range(3)]
    kept = create_task(as_alice, "kept")
    as_alice("delete", "/trash")
    page = sync_page(as_alice)

    assert page["changes"][0] == entry(kept)
    assert sorted(change["id"] for change in page["changes"][1:]) == sorted(gone)
    assert [change.keys() for change in page["changes"][1:]] == [{"kind", "id", "version", "purged"}] * 3
    assert versions(page) == [7, 8, 9, 10]
    assert sync_page(as_alice, since=page["since"])["changes"] == []


def test_several_bulk_operations_on_one_task_are_listed_once(as_alice, task):
    update = {"op": "update", "id": task["id"], "data": {"title": "bread"}}
    results = bulk(as_alice, update, {"op": "complete", "id": task["id"]}).json()["results"]

    assert sync_page(as_alice, since=position(as_alice, 1))["changes"] == [results[-1]]
    assert (results[-1]["title"], results[-1]["completed"]) == ("bread", True)


def test_changes_of_another_user_are_not_listed(as_alice, as_bob):
    create_task(as_alice)
    purged(as_alice)

    assert sync_page(as_bob) == {"changes": [], "since": "0", "has_more": False}


@pytest.mark.parametrize(
    "send",
    [
        lambda caller, id_: caller("patch", f"/tasks/{id_}", {"title": ""}),
        lambda caller, id_: caller("patch", f"/tasks/{id_}", {"title": "x"}, **{"If-Match": '"9"'}),
        lambda caller, id_: caller("delete", f"/trash/{id_}"),
        lambda caller, id_: caller("post", f"/tasks/{UNKNOWN_ID}/complete"),
        lambda caller, id_: bulk(caller, {"op": "complete", "id": id_}, {"op": "reopen", "id": UNKNOWN_ID}),
        lambda caller, id_: bulk(caller, {"op": "delete", "id": id_, "if_match": 9}),
    ],
)
def test_a_refused_write_adds_no_change(as_alice, task, send):
    response = send(as_alice, task["id"])

    assert 400 <= response.status_code < 500, response.content
    assert sync_page(as_alice) == {
        "changes": [entry(task)],
        "since": position(as_alice, 1),
        "has_more": False,
    }


@pytest.mark.parametrize(
    "send",
    [
        lambda caller, id_: caller("post", f"/tasks/{id_}/reopen"),
        lambda caller, id_: caller("post", f"/trash/{id_}/restore"),
        lambda caller, id_: caller("patch", f"/tasks/{id_}", {}),
        lambda caller, id_: caller("delete", "/trash"),
        lambda caller, id_: bulk(caller, {"op": "reopen", "id": id_}, {"op": "restore", "id": id_}),
    ],
)
def test_a_write_without_effect_adds_no_change(as_alice, task, send):
    response = send(as_alice, task["id"])

    assert response.status_code == 200, response.content
    assert sync_page(as_alice) == {
        "changes": [entry(task)],
        "since": position(as_alice, 1),
        "has_more": False,
    }


# Pages


def test_pages_of_one_change_contain_all_changes(as_alice):
    for title in ("a", "b", "c"):
        create_task(as_alice, title)

    pages = [sync_page(as_alice, since=position(as_alice, seen), limit=1) for seen in (0, 1, 2)]
    assert [page["changes"][0]["title"] for page in pages] == ["a", "b", "c"]
    assert [versions(page) for page in pages] == [[1], [2], [3]]
    assert [page["since"] for page in pages] == [position(as_alice, seen) for seen in (1, 2, 3)]
    assert [page["has_more"] for page in pages] == [True, True, False]


def test_tasks_and_tombstones_share_the_pages(as_alice):
    purged(as_alice), create_task(as_alice), purged(as_alice), create_task(as_alice)

    pages = [sync_page(as_alice, since=position(as_alice, seen), limit=2) for seen in (0, 4)]
    assert [versions(page) for page in pages] == [[3, 4], [7, 8]]
    assert [page["has_more"] for page in pages] == [True, False]


def test_a_page_has_200_changes_by_default_and_at_most_500(as_alice, alice):
    store_tasks(alice, *[{"title": "milk"}] * 501)

    assert versions(sync_page(as_alice)) == list(range(1, 201))
    page = sync_page(as_alice, limit=500)
    assert versions(page) == list(range(1, 501))
    assert (page["since"], page["has_more"]) == (position(as_alice, 500), True)


@pytest.mark.parametrize("limit", ["0", "-1", "501", "abc", "", "1.5", "1_0", "9" * 30, "9" * 5000])
def test_an_invalid_limit_is_refused(as_alice, limit):
    assert_error(as_alice("get", f"/sync?limit={limit}"), 400, "VALIDATION_ERROR", field="limit")


@pytest.mark.parametrize(
    "since", ["abc", "", "1", "1.5", "-1", "0-", "1-1_0", "1-2-3-4", "1-" + "9" * 30, "9" * 5000]
)
def test_an_invalid_since_is_refused(as_alice, since):
    assert_error(as_alice("get", f"/sync?since={since}"), 400, "VALIDATION_ERROR", field="since")


# Queries


def test_a_sync_without_changes_costs_one_query(as_alice, task):
    since = position(as_alice, 1)
    with CaptureQueriesContext(connection) as queries:
        answer = sync_page(as_alice, since=since)

    assert answer == {"changes": [], "since": since, "has_more": False}
    assert len(queries) == 1  # the user with the clock


@pytest.mark.parametrize("number", [5, 500])
def test_any_number_of_changes_costs_two_queries(as_alice, alice, number):
    store_tasks(alice, *[{"title": "milk"}] * number)
    with CaptureQueriesContext(connection) as queries:
        page = sync_page(as_alice, limit=500)

    assert len(page["changes"]) == number
    assert len(queries) == 2  # the user; the clock with the changes


# Resync


@pytest.mark.parametrize("version", [2, 1000, 10**18 - 1])
def test_a_since_from_the_future_requires_a_resync(as_alice, task, version):
    assert_error(as_alice("get", f"/sync?since={position(as_alice, version)}"), 410, "RESYNC_REQUIRED")


@pytest.mark.parametrize("since", ["0-1", "1-0", "1-1", "1-1-0"])
def test_a_since_of_another_epoch_requires_a_resync(as_alice, task, since):
    assert_error(as_alice("get", f"/sync?since={since}"), 410, "RESYNC_REQUIRED")


def test_any_since_requires_a_resync_in_an_account_without_tasks(as_alice):
    assert_error(as_alice("get", "/sync?since=1-0"), 410, "RESYNC_REQUIRED")


def test_a_since_older_than_a_pruned_tombstone_requires_a_resync(as_alice, alice, task):
    purged(as_alice), purged(as_alice)  # at versions 4 and 7

    assert prune_tombstones(alice, up_to=6) == 1
    assert prune_tombstones(alice, up_to=6) == 0
    for version in (1, 3):
        assert_error(as_alice("get", f"/sync?since={position(as_alice, version)}"), 410, "RESYNC_REQUIRED")
    for version in (4, 5):
        assert versions(sync_page(as_alice, since=position(as_alice, version))) == [7]


def test_an_initial_sync_succeeds_after_pruning(as_alice, alice, task):
    purged(as_alice)
    prune_tombstones(alice, up_to=4)

    assert sync_page(as_alice) == {
        "changes": [entry(task)],
        "since": position(as_alice, 4),
        "has_more": False,
    }
    since = position(as_alice, 4)
    assert sync_page(as_alice, since=since) == {"changes": [], "since": since, "has_more": False}


@pytest.fixture
def first_page(as_alice, alice):
    """The first page of an initial sync of four tasks, a pruned tombstone and a newer task."""
    for title in ("a", "b", "c", "d"):
        create_task(as_alice, title)
    purged(as_alice)  # at version 7
    prune_tombstones(alice, up_to=7)
    create_task(as_alice, "e")
    return sync_page(as_alice, limit=2)


def test_an_initial_sync_passes_pruned_versions(as_alice, first_page):
    second = sync_page(as_alice, since=first_page["since"], limit=2)
    third = sync_page(as_alice, since=second["since"], limit=2)

    pages = [first_page, second, third]
    assert [versions(page) for page in pages] == [[1, 2], [3, 4], [8]]
    assert [page["has_more"] for page in pages] == [True, True, False]
    assert third["since"] == position(as_alice, 8)


def test_an_initial_sync_lists_tasks_that_are_purged_meanwhile(as_alice, first_page):
    first = first_page["changes"][0]["id"]
    as_alice("delete", f"/tasks/{first}")
    as_alice("delete", f"/trash/{first}")
    rest = sync_page(as_alice, since=first_page["since"])

    assert rest["changes"][-1] == {"kind": "task", "id": first, "version": 10, "purged": True}


def test_an_initial_sync_must_restart_after_pruning(as_alice, alice, first_page):
    purged(as_alice)
    prune_tombstones(alice, up_to=11)

    assert_error(as_alice("get", f"/sync?since={first_page['since']}"), 410, "RESYNC_REQUIRED")
    assert versions(sync_page(as_alice)) == [1, 2, 3, 4, 8]


@pytest.mark.parametrize(("version", "prune_count"), [(1, "0"), (2, "2"), (10**18 - 1, "1")])
def test_an_invalid_position_of_an_initial_sync_requires_a_resync(as_alice, first_page, version, prune_count):
    since = position(as_alice, version, prune_count)

    assert_error(as_alice("get", f"/sync?since={since}"), 410, "RESYNC_REQUIRED")
