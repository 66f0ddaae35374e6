"""A client that follows the feed misses no change, however many clients write at once."""

import random
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tasks.ledger.models import Tombstone
from tasks.models import Task
from tests.support.admin_client import TASKS, run_action
from tests.support.caller import signed_in
from tests.support.commands import purge, run
from tests.support.follower import Follower
from tests.support.processes import TIMEOUT
from tests.support.tasks import prune_tombstones, server_entries
from todo_project.db.stored_responses import wrong_usages
from todo_project.models import IdempotencyKey

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

WRITERS, WRITES, ROUNDS = 4, 120, 3


def random_change(generator, task):
    bulk = [
        {"op": "create", "data": {"title": f"in bulk {generator.random()}"}},
        {"op": "update", "id": task, "data": {"priority": generator.randrange(4)}},
        {"op": generator.choice(["complete", "reopen", "delete", "restore"]), "id": task},
    ]
    bodies = {
        ("POST", "/tasks"): {"title": f"new {generator.random()}"},
        ("PATCH", f"/tasks/{task}"): {"title": f"changed {generator.random()}"},
        ("POST", f"/tasks/{task}/complete"): None,
        ("POST", f"/tasks/{task}/reopen"): None,
        ("DELETE", f"/tasks/{task}"): None,
        ("POST", f"/trash/{task}/restore"): None,
        ("DELETE", f"/trash/{task}"): None,
        ("DELETE", "/trash"): None,
        ("POST", "/bulk"): {"operations": bulk},
    }
    (choice,) = generator.choices(list(bodies), weights=[8, 3, 2, 1, 6, 1, 6, 0.3, 3])
    return *choice, bodies[choice]


def write(user, seed, ids):
    """A task that another writer has trashed or purged is not found; no other error is allowed."""
    caller, generator = signed_in(user), random.Random(seed)
    for _ in range(WRITES):
        change = random_change(generator, generator.choice(ids))
        # Ignored unless it is a POST.
        response = caller(*change, **{"Idempotency-Key": str(generator.random())})
        assert response.status_code in {200, 201, 404}, (change, response.content)
        if response.status_code == 201:
            ids.append(response.json()["id"])


@contextmanager
def while_others_write(user, seed, limit):
    """Four writers and a follower of one user; at the end the follower has read all pages."""
    follower, stop = Follower(signed_in(user), limit), threading.Event()
    ids = [signed_in(user)("POST", "/tasks", {"title": "the first"}).json()["id"]]

    def in_thread(work, *arguments):
        try:
            work(*arguments)
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        following = pool.submit(in_thread, follower.follow, stop)
        writing = [pool.submit(in_thread, write, user, f"{seed}-{number}", ids) for number in range(WRITERS)]
        try:
            yield follower, lambda: not all(each.done() for each in writing)
            for each in writing:
                each.result(timeout=TIMEOUT)
        finally:
            stop.set()
        following.result(timeout=TIMEOUT)


def counts_are_correct(user):
    rows, trashed = (
        Counter(
            Task.objects.for_user(user).filter(deleted_at__isnull=live).values_list("completed", flat=True)
        )
        for live in (True, False)
    )
    stats = signed_in(user)("GET", "/tasks/stats").json()
    assert wrong_usages([user.pk]) == set()
    return stats == {"open": rows[False], "completed": rows[True], "overdue": 0, "trashed": trashed.total()}


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_follower_of_concurrent_writers_ends_with_the_state_of_the_server(alice, seed):
    with while_others_write(alice, seed, limit=1 + seed) as (follower, _):
        pass

    assert follower.copy == server_entries(lambda path: signed_in(alice)("GET", path).json())
    assert len(follower.copy) > 50
    assert follower.resyncs == 0
    assert counts_are_correct(alice)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_follower_that_misses_pruned_tombstones_resyncs_and_ends_with_the_state_of_the_server(alice, seed):
    with while_others_write(alice, seed, limit=1 + seed % 2) as (follower, others_write):
        while others_write():
            newest = Tombstone.objects.for_user(alice).order_by("version").last()
            if newest and follower.since != "0" and newest.version > int(follower.since.split("-")[1]):
                prune_tombstones(alice, up_to=newest.version)

    caller = signed_in(alice)
    assert follower.copy == server_entries(lambda path: caller("GET", path).json())
    assert len(follower.copy) > 50

    # Above, the follower may or may not fall behind; here it certainly does.
    resyncs, gone = follower.resyncs, min(follower.copy)
    caller("DELETE", f"/tasks/{gone}"), caller("DELETE", f"/trash/{gone}")
    prune_tombstones(alice, up_to=Tombstone.objects.for_user(alice).latest("version").version)
    while follower.step():
        continue

    assert follower.resyncs == resyncs + 1
    assert follower.copy == server_entries(lambda path: caller("GET", path).json())
    assert gone not in follower.copy
    assert counts_are_correct(alice)


@pytest.mark.parametrize("seed", range(2))
def test_a_follower_ends_with_the_state_of_the_server_while_trash_and_tombstones_are_purged(alice, seed):
    purged = pruned = 0
    with while_others_write(alice, seed, limit=1) as (follower, others_write):
        while others_write():
            report = purge("--trash-days", "0", "--tombstone-days", "0", "--only", "trash", "tombstones")
            purged += int(report[0].split()[1])
            pruned += int(report[1].split()[1])

    assert follower.copy == server_entries(lambda path: signed_in(alice)("GET", path).json())
    assert len(follower.copy) > 20
    assert purged > 10
    assert pruned > 10
    assert counts_are_correct(alice)


def test_counts_equal_the_rows_while_staff_and_commands_write_too(alice, superuser, tmp_path):
    generator, file, imported = random.Random(0), tmp_path / "alice.json", 0
    with while_others_write(alice, 0, limit=20) as (follower, others_write):
        run("export_user", alice.email, "--output", file)
        while others_write():
            action = generator.choice(["complete", "reopen", "trash", "restore", "purge"])
            run_action(superuser, TASKS, action, Task.objects.for_user(alice).order_by("?")[:20])
            keys = IdempotencyKey.objects.order_by("?").values("pk")[:5]
            IdempotencyKey.objects.filter(pk__in=keys).update(created_at=timezone.now() - timedelta(days=2))
            purge("--trash-days", "0", "--only", "trash", "keys")
            output, _ = run("import_user", file, "--into", alice.email, "--on-conflict", "replace")
            imported += int(re.findall(r"tasks: (\d+) new", output)[0])
            run("export_user", alice.email, "--output", file, "--force")

    assert counts_are_correct(alice)
    assert follower.copy == server_entries(lambda path: signed_in(alice)("GET", path).json())
    assert imported
