"""A writer that waits for an owner's clock reads the time and the rows only after it has the lock."""

import datetime as dt
from functools import partial

import pytest
from django.utils import timezone

from tasks.ledger import trash
from tasks.ledger.counts import count_rows
from tasks.ledger.models import Clock, Tombstone
from tasks.models import Task
from tests.support.admin_client import TASKS, messages_on, run_action, staff_client
from tests.support.commands import run
from tests.support.locks import transaction_blocking
from tests.support.tasks import create_task, trashed

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def wait_for_clock(owner, write, *, meanwhile):
    """The result of `write`, which waits for a transaction that has the clock and makes the other change."""
    with transaction_blocking(write, before_commit=meanwhile) as results:
        Clock.objects.lock(owner)
    [result] = results
    return result


@pytest.fixture
def action(transactional_db):
    """Runs an action of the admin on tasks, and returns its message."""
    superuser = staff_client("superuser")

    def perform(name, *tasks):
        rows = Task.objects.filter(pk__in=[task["id"] for task in tasks])
        [message] = messages_on(run_action(superuser, TASKS, name, rows))
        return message

    return perform


def is_consistent(owner):
    clock = Clock.objects.get(owner=owner)
    versions = Task.objects.for_user(owner).values_list("version", flat=True)
    return clock.counts == count_rows(owner) and clock.tick == max(versions)


@pytest.mark.parametrize("writer", ["api", "action"])
def test_the_later_of_two_versions_has_the_later_time(as_alice, alice, action, writer):
    first, second = create_task(as_alice), create_task(as_alice)
    write = {
        "api": partial(as_alice, "post", f"/tasks/{second['id']}/complete"),
        "action": partial(action, "complete", second),
    }[writer]
    wait_for_clock(
        alice, write, meanwhile=lambda: as_alice("patch", f"/tasks/{first['id']}", {"priority": 1})
    )

    in_order_of_versions = Task.objects.order_by("version").values_list("pk", "updated_at")
    assert [str(pk) for pk, _ in in_order_of_versions] == [first["id"], second["id"]]
    assert in_order_of_versions[0][1] < in_order_of_versions[1][1]


def test_an_action_does_not_delete_a_task_that_is_restored_meanwhile(as_alice, alice, action):
    task = trashed(as_alice)
    message = wait_for_clock(
        alice,
        lambda: action("purge", task),
        meanwhile=lambda: as_alice("post", f"/trash/{task['id']}/restore"),
    )

    assert message == "0 tasks deleted permanently. 1 was left unchanged."
    assert Task.objects.live().count() == 1
    assert is_consistent(alice)


def test_an_action_leaves_a_task_that_is_completed_meanwhile_as_it_is(as_alice, alice, action):
    task, responses = create_task(as_alice), []
    message = wait_for_clock(
        alice,
        lambda: action("complete", task),
        meanwhile=lambda: responses.append(as_alice("post", f"/tasks/{task['id']}/complete")),
    )

    assert message == "0 tasks completed. 1 was left unchanged."
    assert as_alice("get", f"/tasks/{task['id']}").json() == responses[0].json()
    assert is_consistent(alice)


def test_an_action_locks_the_clocks_in_the_order_of_their_owners(as_alice, as_bob, alice, bob, action):
    """Otherwise it could wait for one owner while it keeps another who is earlier in that order."""
    callers = {alice.pk: as_alice, bob.pk: as_bob}
    first, last = sorted(callers)
    tasks = [create_task(callers[last]), create_task(callers[first])]  # The rows have the other order.
    with transaction_blocking(
        lambda: action("complete", *tasks),
        before_commit=lambda: Clock.objects.select_for_update(nowait=True).get(pk=last),
    ) as messages:
        Clock.objects.select_for_update().get(pk=first)

    assert messages == ["2 tasks completed."]


def test_emptying_the_trash_compares_if_match_with_the_state_after_the_wait(as_alice, alice):
    trashed(as_alice)
    etag = as_alice("get", "/trash")["ETag"]
    response = wait_for_clock(
        alice,
        lambda: as_alice("delete", "/trash", **{"If-Match": etag}),
        meanwhile=lambda: trashed(as_alice),
    )

    assert response.status_code == 412
    assert Task.objects.trashed().count() == 2


def test_purging_keeps_a_task_that_is_restored_meanwhile(as_alice, alice):
    task = trashed(as_alice)
    number = wait_for_clock(
        alice,
        lambda: sum(trash.purge_trash(timezone.now())),
        meanwhile=lambda: as_alice("post", f"/trash/{task['id']}/restore"),
    )

    assert number == 0
    assert is_consistent(alice)


def test_purging_ends_normally_if_the_owner_is_deleted_meanwhile(as_alice, alice):
    trashed(as_alice)
    number = wait_for_clock(alice, lambda: sum(trash.purge_trash(timezone.now())), meanwhile=alice.delete)

    assert number == 0
    assert not Clock.objects.exists()


def test_pruning_does_not_move_the_pruned_version_back(as_alice, alice, monkeypatch):
    monkeypatch.setattr(trash, "BATCH_SIZE", 1)
    for _ in range(2):
        as_alice("delete", f"/trash/{trashed(as_alice)['id']}")
    prune = partial(trash.prune_tombstones_of, alice, before=timezone.now() + dt.timedelta(minutes=1))
    newest = Tombstone.objects.latest("version").version

    assert wait_for_clock(alice, prune, meanwhile=prune) == 0
    assert Clock.objects.get(owner=alice).pruned_version == newest


def test_repairing_counts_includes_a_task_that_is_created_meanwhile(as_alice, alice):
    create_task(as_alice)
    Clock.objects.update(counts={})
    wait_for_clock(alice, lambda: run("recount"), meanwhile=lambda: create_task(as_alice))

    assert is_consistent(alice)


def test_a_new_epoch_keeps_the_version_of_a_task_that_is_created_meanwhile(as_alice, alice):
    create_task(as_alice)
    wait_for_clock(alice, lambda: run("new_epoch"), meanwhile=lambda: create_task(as_alice))

    clock = Clock.objects.get(owner=alice)
    assert (clock.tick, clock.counts) == (1_000_002, count_rows(alice))


def test_an_import_and_a_task_that_is_created_meanwhile_have_different_versions(as_alice, alice, tmp_path):
    task, file = trashed(as_alice), tmp_path / "alice.json"
    run("export_user", alice.email, "--output", file)
    as_alice("delete", f"/trash/{task['id']}")
    wait_for_clock(
        alice,
        lambda: run("import_user", file, "--into", alice.email),
        meanwhile=lambda: create_task(as_alice),
    )

    assert Task.objects.count() == 2
    assert is_consistent(alice)
