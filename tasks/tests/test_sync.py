"""GET /sync: what a client hears that keeps a copy."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks import sync
from tasks.models import Clock, Task, Tombstone
from tests.support.assertions import assert_error
from tests.support.tasks import create_task, forget, trashed

MISSING = "0191f3a8-0000-7000-8000-000000000000"


def asked(caller, **query):
    response = caller("get", "/sync?" + "&".join(f"{name}={value}" for name, value in query.items()))
    assert response.status_code == 200, response.content
    return response.json()


def versions(page):
    return [change["version"] for change in page["changes"]]


def bulk(caller, *operations):
    return caller("post", "/tasks/bulk", {"operations": operations})


def purged(caller):
    """A new task that is gone for good; it took three versions."""
    task = trashed(caller)
    caller("delete", f"/trash/{task['id']}")
    return task["id"]


# What is told


def test_an_account_without_tasks_has_no_changes(as_alice):
    assert asked(as_alice) == {"changes": [], "since": 0, "has_more": False}


def test_a_task_is_told_as_it_was_answered(as_alice):
    task = create_task(
        as_alice, "milk", description='two "litres"\n\\ ✓', priority=2, due_at="2027-01-31T09:00:00Z"
    )

    assert asked(as_alice) == {"changes": [task], "since": 1, "has_more": False}


def test_changes_come_in_the_order_of_versions_each_task_once_as_it_is_now(as_alice):
    first, second, third = [create_task(as_alice, title) for title in ("first", "second", "third")]
    as_alice("patch", f"/tasks/{first['id']}", {"title": "changed"})
    as_alice("post", f"/tasks/{second['id']}/complete")
    page = asked(as_alice)

    assert versions(page) == [3, 4, 5]
    assert [change["title"] for change in page["changes"]] == ["third", "changed", "second"]
    assert page["changes"][0] == third
    assert page["changes"][2]["completed"] is True
    assert (page["since"], page["has_more"]) == (5, False)


def test_a_trashed_task_is_told_with_the_time(as_alice):
    task = trashed(as_alice)

    assert task["deleted_at"] is not None
    assert asked(as_alice)["changes"] == [task]


def test_a_restored_task_is_told_as_live(as_alice):
    task = trashed(as_alice)
    restored = as_alice("post", f"/trash/{task['id']}/restore").json()

    assert asked(as_alice, since=2)["changes"] == [restored]
    assert restored["deleted_at"] is None


def test_a_purged_task_is_told_by_its_id_alone(as_alice):
    gone = purged(as_alice)

    assert asked(as_alice)["changes"] == [{"id": gone, "version": 3, "purged": True}]


def test_an_emptied_trash_is_told_task_by_task_among_the_others(as_alice):
    gone = [trashed(as_alice)["id"] for _ in range(3)]
    kept = create_task(as_alice, "kept")
    as_alice("delete", "/trash")
    page = asked(as_alice)

    assert page["changes"][0] == kept
    assert sorted(change["id"] for change in page["changes"][1:]) == sorted(gone)
    assert [change.keys() for change in page["changes"][1:]] == [{"id", "version", "purged"}] * 3
    assert versions(page) == [7, 8, 9, 10]
    assert asked(as_alice, since=page["since"])["changes"] == []


def test_several_operations_on_one_task_are_told_once_as_it_is_after_them(as_alice, task):
    update = {"op": "update", "id": task["id"], "data": {"title": "bread"}}
    results = bulk(as_alice, update, {"op": "complete", "id": task["id"]}).json()["results"]

    assert asked(as_alice, since=1)["changes"] == [results[-1]]
    assert (results[-1]["title"], results[-1]["completed"]) == ("bread", True)


def test_nothing_of_a_strangers_is_told(as_alice, as_bob):
    create_task(as_alice)
    purged(as_alice)

    assert asked(as_bob) == {"changes": [], "since": 0, "has_more": False}


@pytest.mark.parametrize(
    "refused",
    [
        lambda caller, id_: caller("patch", f"/tasks/{id_}", {"title": ""}),
        lambda caller, id_: caller("patch", f"/tasks/{id_}", {"title": "x"}, **{"If-Match": '"9"'}),
        lambda caller, id_: caller("delete", f"/trash/{id_}"),
        lambda caller, id_: caller("post", f"/tasks/{MISSING}/complete"),
        lambda caller, id_: bulk(caller, {"op": "complete", "id": id_}, {"op": "reopen", "id": MISSING}),
        lambda caller, id_: bulk(caller, {"op": "delete", "id": id_, "if_match": 9}),
    ],
)
def test_a_refused_write_tells_nothing(as_alice, task, refused):
    response = refused(as_alice, task["id"])

    assert 400 <= response.status_code < 500, response.content
    assert asked(as_alice) == {"changes": [task], "since": 1, "has_more": False}


@pytest.mark.parametrize(
    "idle",
    [
        lambda caller, id_: caller("post", f"/tasks/{id_}/reopen"),
        lambda caller, id_: caller("post", f"/trash/{id_}/restore"),
        lambda caller, id_: caller("patch", f"/tasks/{id_}", {}),
        lambda caller, id_: caller("delete", "/trash"),
        lambda caller, id_: bulk(caller, {"op": "reopen", "id": id_}, {"op": "restore", "id": id_}),
    ],
)
def test_a_write_that_changes_nothing_tells_nothing(as_alice, task, idle):
    response = idle(as_alice, task["id"])

    assert response.status_code == 200, response.content
    assert asked(as_alice) == {"changes": [task], "since": 1, "has_more": False}


# Pages


def test_pages_of_one_lead_through_all_changes(as_alice):
    for title in ("a", "b", "c"):
        create_task(as_alice, title)

    pages = [asked(as_alice, since=since, limit=1) for since in (0, 1, 2)]
    assert [page["changes"][0]["title"] for page in pages] == ["a", "b", "c"]
    assert [versions(page) for page in pages] == [[1], [2], [3]]
    assert [page["since"] for page in pages] == [1, 2, 3]
    assert [page["has_more"] for page in pages] == [True, True, False]


def test_tasks_and_tombstones_share_the_pages(as_alice):
    purged(as_alice), create_task(as_alice), purged(as_alice), create_task(as_alice)

    pages = [asked(as_alice, since=since, limit=2) for since in (0, 4)]
    assert [versions(page) for page in pages] == [[3, 4], [7, 8]]
    assert [page["has_more"] for page in pages] == [True, False]


def test_a_page_has_200_changes_unless_asked_otherwise_and_at_most_500(as_alice, alice):
    many(alice, 501)

    assert versions(asked(as_alice)) == list(range(1, 201))
    page = asked(as_alice, limit=500)
    assert versions(page) == list(range(1, 501))
    assert (page["since"], page["has_more"]) == (500, True)


@pytest.mark.parametrize("limit", ["0", "-1", "501", "abc", "", "1.5", "1_0", "9" * 30, "9" * 5000])
def test_another_limit_is_refused(as_alice, limit):
    assert_error(as_alice("get", f"/sync?limit={limit}"), 400, "VALIDATION_ERROR", field="limit")


@pytest.mark.parametrize("since", ["abc", "", "1.5", "1_0", "9" * 30, "-" + "9" * 30, str(2**63), "9" * 5000])
def test_what_is_no_since_is_refused(as_alice, since):
    assert_error(as_alice("get", f"/sync?since={since}"), 400, "VALIDATION_ERROR", field="since")


# What it costs


def many(owner, number):
    """So many tasks as if they had been made one by one."""
    (*ticks,) = Clock.objects.tick(owner, by=number)
    Task.objects.bulk_create(Task(owner=owner, title="one of many", version=tick) for tick in ticks)


def test_asking_again_when_nothing_has_changed_is_one_query(as_alice, task):
    with CaptureQueriesContext(connection) as queries:
        answer = asked(as_alice, since=1)

    assert answer == {"changes": [], "since": 1, "has_more": False}
    assert len(queries) == 1  # who asks, together with the clock


@pytest.mark.parametrize("number", [5, 500])
def test_any_number_of_changes_is_two_queries(as_alice, alice, number):
    many(alice, number)
    with CaptureQueriesContext(connection) as queries:
        page = asked(as_alice, limit=500)

    assert len(page["changes"]) == number
    assert len(queries) == 2  # who asks; the clock with the changes


# What is not known, or no longer


@pytest.mark.parametrize("since", [2, 1000, 2**63 - 1])
def test_a_since_from_the_future_asks_for_a_new_beginning(as_alice, task, since):
    assert_error(as_alice("get", f"/sync?since={since}"), 410, "RESYNC_REQUIRED")


def test_in_an_account_without_tasks_any_since_is_from_the_future(as_alice):
    assert_error(as_alice("get", "/sync?since=1"), 410, "RESYNC_REQUIRED")


def test_a_since_older_than_what_is_forgotten_asks_for_a_new_beginning(as_alice, alice, task):
    purged(as_alice), purged(as_alice)  # at versions 4 and 7

    assert forget(alice, up_to=6) == 1
    assert forget(alice, up_to=6) == 0
    assert_error(as_alice("get", "/sync?since=1"), 410, "RESYNC_REQUIRED")
    assert_error(as_alice("get", "/sync?since=3"), 410, "RESYNC_REQUIRED")
    assert versions(asked(as_alice, since=4)) == [7]
    assert versions(asked(as_alice, since=5)) == [7]


def test_beginning_with_nothing_always_works(as_alice, alice, task):
    purged(as_alice)
    forget(alice, up_to=4)

    assert asked(as_alice) == {"changes": [task], "since": 4, "has_more": False}
    assert asked(as_alice, since=4) == {"changes": [], "since": 4, "has_more": False}


@pytest.fixture
def long_first_reading(as_alice, alice):
    """Four tasks, what was forgotten after them, and one task that came later; the first page is read."""
    for title in ("a", "b", "c", "d"):
        create_task(as_alice, title)
    purged(as_alice)  # at version 7
    forget(alice, up_to=7)
    create_task(as_alice, "e")
    return asked(as_alice, limit=2)


def test_a_first_reading_passes_what_was_forgotten_by_negative_numbers(as_alice, long_first_reading):
    second = asked(as_alice, since=long_first_reading["since"], limit=2)
    third = asked(as_alice, since=second["since"], limit=2)

    pages = [long_first_reading, second, third]
    assert [versions(page) for page in pages] == [[1, 2], [3, 4], [8]]
    assert [page["since"] < 0 for page in pages] == [True, True, False]
    assert [page["has_more"] for page in pages] == [True, True, False]
    assert third["since"] == 8


def test_a_first_reading_hears_of_what_is_purged_meanwhile(as_alice, long_first_reading):
    first = long_first_reading["changes"][0]["id"]
    as_alice("delete", f"/tasks/{first}")
    as_alice("delete", f"/trash/{first}")
    rest = asked(as_alice, since=long_first_reading["since"])

    assert rest["changes"][-1] == {"id": first, "version": 10, "purged": True}


def test_a_first_reading_begins_anew_when_something_is_forgotten_meanwhile(
    as_alice, alice, long_first_reading
):
    purged(as_alice)
    forget(alice, up_to=11)

    assert_error(as_alice("get", f"/sync?since={long_first_reading['since']}"), 410, "RESYNC_REQUIRED")
    assert versions(asked(as_alice)) == [1, 2, 3, 4, 8]


def test_a_first_reading_notices_any_forgetting(as_alice, alice, long_first_reading):
    """However far it went: a number that is kept in part must not look like the one before."""
    purged(as_alice)
    Clock.objects.filter(owner=alice).update(tick=7 + sync.PRUNE_MODULUS)
    purged(as_alice)
    Tombstone.objects.filter(version=7 + sync.PRUNE_MODULUS + 3).update(version=7 + sync.PRUNE_MODULUS)
    forget(alice, up_to=7 + sync.PRUNE_MODULUS)

    assert_error(as_alice("get", f"/sync?since={long_first_reading['since']}"), 410, "RESYNC_REQUIRED")


@pytest.mark.parametrize("since", [-1, -6, -8, -(2**16), -(2**16) - 6, -(2**40) - 7, -(2**63)])
def test_a_negative_number_that_was_not_given_asks_for_a_new_beginning(as_alice, long_first_reading, since):
    assert_error(as_alice("get", f"/sync?since={since}"), 410, "RESYNC_REQUIRED")
