"""manage.py new_epoch: all clients start over. What it protects is in test_restore.py."""

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.ledger import epochs
from tasks.ledger.models import Clock
from tests.support.assertions import assert_error
from tests.support.caller import signed_in
from tests.support.commands import run
from tests.support.tasks import create_task


def epochs_and_ticks():
    return {clock.owner_id: (clock.epoch, clock.tick) for clock in Clock.objects.all()}


def test_every_user_gets_a_new_epoch_and_a_million_versions_are_skipped(as_alice, alice, bob):
    task = create_task(as_alice)
    since = as_alice("get", "/sync").json()["since"]
    epoch, _ = epochs_and_ticks()[alice.pk]
    output, _ = run("new_epoch")

    after = epochs_and_ticks()
    assert output == "Users whose clients start over: 2.\n"
    assert {owner: tick for owner, (_, tick) in after.items()} == {alice.pk: 1_000_001, bob.pk: 1_000_000}
    assert len({epoch, *(each for each, _ in after.values())}) == 3
    assert_error(as_alice("get", f"/sync?since={since}"), 410, "RESYNC_REQUIRED")
    assert as_alice("get", f"/tasks/{task['id']}").json() == task
    assert create_task(as_alice)["version"] == 1_000_002


def test_a_new_epoch_alone_makes_every_list_a_new_one(as_alice, monkeypatch):
    """For a user who has made more changes since the backup than versions are skipped."""
    monkeypatch.setattr(epochs, "SKIPPED_VERSIONS", 0)
    create_task(as_alice)
    before = as_alice("get", "/tasks")["ETag"]
    run("new_epoch")

    response = as_alice("get", "/tasks", **{"If-None-Match": before})
    assert (response.status_code, response["ETag"] == before) == (200, False)


def test_a_second_run_gives_each_user_another_epoch(alice):
    run("new_epoch")
    first = epochs_and_ticks()[alice.pk]
    run("new_epoch")

    epoch, tick = epochs_and_ticks()[alice.pk]
    assert epoch != first[0]
    assert tick == 2_000_000


def test_a_dry_run_changes_nothing(as_alice, bob):
    create_task(as_alice)
    before = epochs_and_ticks()
    output, _ = run("new_epoch", "--dry-run")

    assert output == "Users whose clients would start over: 2. Nothing was changed.\n"
    assert epochs_and_ticks() == before


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_every_batch_is_reached(django_user_model, monkeypatch, size):
    monkeypatch.setattr(epochs, "BATCH_SIZE", size)
    for number in range(4):
        django_user_model.objects.create_user(f"{number}@example.com")
    output, _ = run("new_epoch")

    assert output == "Users whose clients start over: 4.\n"
    assert [tick for _, tick in epochs_and_ticks().values()] == [1_000_000] * 4


def test_the_number_of_queries_does_not_grow_with_the_number_of_users(django_user_model):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            run("new_epoch")
        return len(captured)

    create_task(signed_in(django_user_model.objects.create_user("one@example.com")))
    for_one = queries()
    for number in range(10):
        django_user_model.objects.create_user(f"{number}@example.com")

    assert queries() == for_one


def test_an_interruption_says_how_far_it_came(alice, bob, monkeypatch):
    def interrupted():
        yield 1
        raise KeyboardInterrupt

    monkeypatch.setattr("tasks.ledger.management.commands.new_epoch.start_new_epochs", interrupted)
    with pytest.raises(CommandError) as failure:
        run("new_epoch")

    assert str(failure.value) == "Interrupted. Users with a new epoch so far: 1. Run this again for all."
    assert failure.value.returncode == 130
