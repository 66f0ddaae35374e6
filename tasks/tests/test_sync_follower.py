"""No missed change: whoever follows the feed ends with exactly the server's state, however many write."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection

from tasks.models import Tombstone
from tests.support.caller import signed_in
from tests.support.commands import purge
from tests.support.processes import TIMEOUT
from tests.support.tasks import forget, server_state

API = "/api/v1"
WRITERS, WRITES, ROUNDS = 4, 120, 6


# Many threads, each with its own connection to PostgreSQL


class Follower:
    """It knows nothing but the feed."""

    def __init__(self, user, limit):
        self.ask, self.limit = signed_in(user), limit
        self.copy, self.since, self.resyncs = {}, 0, 0

    def step(self):
        """Read one page; gives back whether there is more."""
        response = self.ask("GET", f"/sync?since={self.since}&limit={self.limit}")
        if response.status_code == 410:
            self.copy, self.since, self.resyncs = {}, 0, self.resyncs + 1
            return True
        assert response.status_code == 200, response.content
        page = response.json()
        for change in page["changes"]:
            if change.get("purged"):
                self.copy.pop(change["id"], None)
            else:
                self.copy[change["id"]] = change
        self.since = page["since"]
        return page["has_more"]

    def follow(self, over):
        deadline = time.monotonic() + TIMEOUT
        while not over.is_set() or self.step():
            assert time.monotonic() < deadline
            self.step()


def a_change(dice, task):
    bulk = [
        {"op": "create", "data": {"title": f"in bulk {dice.random()}"}},
        {"op": "update", "id": task, "data": {"priority": dice.randrange(4)}},
        {"op": dice.choice(["complete", "reopen", "delete", "restore"]), "id": task},
    ]
    likely = {
        ("POST", "/tasks"): {"title": f"new {dice.random()}"},
        ("PATCH", f"/tasks/{task}"): {"title": f"changed {dice.random()}"},
        ("POST", f"/tasks/{task}/complete"): None,
        ("POST", f"/tasks/{task}/reopen"): None,
        ("DELETE", f"/tasks/{task}"): None,
        ("POST", f"/trash/{task}/restore"): None,
        ("DELETE", f"/trash/{task}"): None,
        ("DELETE", "/trash"): None,
        ("POST", "/tasks/bulk"): {"operations": bulk},
    }
    (chosen,) = dice.choices(list(likely), weights=[8, 3, 2, 1, 6, 1, 6, 0.3, 3])
    return *chosen, likely[chosen]


def write(user, seed, ids):
    """What another writer has trashed or purged is not found; nothing else may be refused."""
    ask, dice = signed_in(user), random.Random(seed)
    for _ in range(WRITES):
        change = a_change(dice, dice.choice(ids))
        response = ask(*change)
        assert response.status_code in {200, 201, 404}, (change, response.content)
        if response.status_code == 201:
            ids.append(response.json()["id"])


@contextmanager
def while_others_write(user, seed, limit):
    """Four writers and a follower of one person; in the end the follower has read to the end."""
    follower, over = Follower(user, limit), threading.Event()
    ids = [signed_in(user)("POST", "/tasks", {"title": "the first"}).json()["id"]]

    def run(work, *arguments):
        try:
            work(*arguments)
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        following = pool.submit(run, follower.follow, over)
        writing = [pool.submit(run, write, user, f"{seed}-{number}", ids) for number in range(WRITERS)]
        try:
            yield follower, lambda: not all(each.done() for each in writing)
            for each in writing:
                each.result(timeout=TIMEOUT)
        finally:
            over.set()
        following.result(timeout=TIMEOUT)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_follower_of_four_writers_ends_with_the_servers_state(alice, seed):
    with while_others_write(alice, seed, limit=1 + seed) as (follower, _):
        pass

    assert follower.copy == server_state(lambda path: signed_in(alice)("GET", path).json())
    assert len(follower.copy) > 50
    assert follower.resyncs == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_follower_from_whom_changes_are_forgotten_begins_anew_and_ends_with_the_same(alice, seed):
    with while_others_write(alice, seed, limit=1 + seed % 2) as (follower, others_write):
        while others_write():
            newest = Tombstone.objects.for_user(alice).order_by("version").last()
            if newest and follower.since != 0 and newest.version > follower.since:
                forget(alice, up_to=newest.version)

    ask = signed_in(alice)
    assert follower.copy == server_state(lambda path: ask("GET", path).json())
    assert len(follower.copy) > 50

    # Whether it fell behind above was luck; here it surely does.
    resyncs, gone = follower.resyncs, min(follower.copy)
    ask("DELETE", f"/tasks/{gone}"), ask("DELETE", f"/trash/{gone}")
    forget(alice, up_to=Tombstone.objects.for_user(alice).latest("version").version)
    while follower.step():
        continue

    assert follower.resyncs == resyncs + 1
    assert follower.copy == server_state(lambda path: ask("GET", path).json())
    assert gone not in follower.copy


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_a_follower_ends_with_the_same_while_trash_is_purged_and_tombstones_forgotten(alice, seed):
    purged = forgotten = 0
    with while_others_write(alice, seed, limit=1) as (follower, others_write):
        while others_write():
            told = purge("--trash-days", "0", "--tombstone-days", "0", "--only", "trash", "tombstones")
            purged += int(told[0].split()[1])
            forgotten += int(told[1].split()[1])

    assert follower.copy == server_state(lambda path: signed_in(alice)("GET", path).json())
    assert len(follower.copy) > 20
    assert purged > 10
    assert forgotten > 10
