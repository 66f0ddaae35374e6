"""manage.py purge: the trash and the tombstones of all users."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.ledger import trash
from tasks.ledger.models import Clock, Tombstone
from tasks.models import Task
from tests.support.caller import signed_in
from tests.support.commands import purge
from tests.support.tasks import create_task, position, trashed
from tests.support.threads import run_each, run_together


def aged(task, days):
    """Move the time at which it was trashed or purged into the past."""
    then = timezone.now() - timedelta(days=days)
    Task.objects.filter(pk=task["id"]).update(deleted_at=then)
    Tombstone.objects.filter(object_id=task["id"]).update(purged_at=then)
    return task["id"]


def purged(caller):
    task = trashed(caller)
    caller("delete", f"/trash/{task['id']}")
    return task


def trashed_ids(caller):
    return {task["id"] for task in caller("get", "/trash").json()["results"]}


def test_old_trash_is_purged_and_syncing_clients_receive_it(as_alice, as_bob):
    kept = {aged(trashed(as_alice), 29), aged(trashed(as_alice), 0)}
    create_task(as_alice)
    since = as_alice("get", "/sync").json()["since"]
    gone, of_bob = [aged(trashed(as_alice), 31) for _ in range(2)], aged(trashed(as_bob), 31)
    lines = purge("--only", "trash")

    changes = as_alice("get", f"/sync?since={since}").json()["changes"]
    assert lines[0] == "trash: 3 deleted"
    assert trashed_ids(as_alice) == kept
    assert [change["id"] for change in changes if change.get("purged")] == gone
    assert len({change["version"] for change in changes}) == 2
    assert [change["id"] for change in as_bob("get", "/sync").json()["changes"]] == [of_bob]


def test_a_lists_etag_changes_only_if_trash_was_purged(as_alice):
    aged(trashed(as_alice), 31)
    before = as_alice("get", "/trash")["ETag"]
    purge("--trash-days", "32")
    assert as_alice("get", "/trash", **{"If-None-Match": before}).status_code == 304

    purge()
    assert as_alice("get", "/trash", **{"If-None-Match": before}).status_code == 200


def test_a_dry_run_changes_nothing(as_alice, as_bob):
    tasks = {aged(trashed(as_alice), 31) for _ in range(2)}
    aged(purged(as_bob), 91)
    lines = purge("--dry-run", "--only", "trash", "tombstones")

    assert lines[:2] == ["trash: 2 would be deleted", "tombstones: 1 would be deleted"]
    assert trashed_ids(as_alice) == tasks
    assert Tombstone.objects.count() == 1


def test_a_second_run_deletes_nothing_and_changes_no_clock(as_alice):
    aged(trashed(as_alice), 31)
    purge()
    tick = Clock.objects.get().tick

    assert purge("--only", "trash", "tombstones")[:2] == ["trash: 0 deleted", "tombstones: 0 deleted"]
    assert Clock.objects.get().tick == tick == 3


def test_old_tombstones_are_pruned(as_alice, as_bob):
    aged(purged(as_alice), 91)
    aged(purged(as_alice), 89)
    aged(purged(as_bob), 91)
    since = as_alice("get", "/sync").json()["since"]
    lines = purge("--only", "tombstones")

    assert lines[0] == "tombstones: 2 deleted"
    assert as_alice("get", f"/sync?since={position(as_alice, 1)}").status_code == 410
    assert as_alice("get", f"/sync?since={since}").json()["changes"] == []
    assert set(Clock.objects.values_list("tick", "pruned_version")) == {(6, 3), (3, 3)}


@pytest.mark.parametrize("number", [4, 5, 6])
def test_it_purges_all_tasks_however_they_divide_into_batches(as_alice, as_bob, monkeypatch, number):
    monkeypatch.setattr(trash, "BATCH_SIZE", 2)
    for caller in (as_alice, as_bob):
        for _ in range(number):
            aged(trashed(caller), 31)

    assert purge("--only", "trash")[0] == f"trash: {2 * number} deleted"
    assert list(Clock.objects.values_list("tick", flat=True)) == [3 * number, 3 * number]
    assert purge("--only", "tombstones", "--tombstone-days", "0")[0] == f"tombstones: {2 * number} deleted"
    assert list(Clock.objects.values_list("pruned_version", flat=True)) == [3 * number, 3 * number]


def test_all_tombstones_of_one_owner_are_pruned(as_alice, alice, monkeypatch):
    monkeypatch.setattr(trash, "BATCH_SIZE", 2)
    for _ in range(5):
        purged(as_alice)

    assert trash.prune_tombstones_of(alice, before=timezone.now()) == 5
    assert Clock.objects.get().pruned_version == 15


def test_purging_ten_tasks_costs_the_same_queries_as_one(as_alice):
    counts = []
    for number in (1, 10):
        for _ in range(number):
            aged(trashed(as_alice), 31)
        with CaptureQueriesContext(connection) as queries:
            purge("--only", "trash")
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_concurrent_purges_delete_each_task_and_each_tombstone_once(alice, bob, monkeypatch):
    monkeypatch.setattr(trash, "BATCH_SIZE", 3)
    for caller in (signed_in(alice), signed_in(bob)):
        for _ in range(25):
            aged(trashed(caller), 31)
    arguments = ("--only", "trash", "tombstones", "--tombstone-days", "0")
    outputs = run_together(4, lambda: purge(*arguments))

    totals = [sum(int(lines[kind].split()[1]) for lines in outputs) for kind in (0, 1)]
    assert totals[0] == 50
    assert Task.objects.count() == 0
    assert totals[1] + Tombstone.objects.count() == 50
    purge("--tombstone-days", "0")
    assert list(Clock.objects.values_list("tick", "pruned_version")) == [(75, 75), (75, 75)]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_an_owner_may_be_deleted_during_a_purge(bob, django_user_model):
    """Both take their locks in the same order, so that the second waits for the first."""
    for number in range(10):
        owner = django_user_model.objects.create_user(f"{number}@example.com")
        for _ in range(5):
            aged(trashed(signed_in(owner)), 31)
        run_each(lambda: purge("--tombstone-days", "0"), owner.delete)

        assert not Task.objects.exists()
        assert not Clock.objects.exists()
