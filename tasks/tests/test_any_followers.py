"""Clients that follow generated writes, prunings and restores end with the state of the server."""

from typing import Any

import pytest
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tasks.ledger.counts import recount
from tasks.ledger.epochs import start_new_epochs
from tasks.ledger.models import Tombstone
from tests.support.caller import signed_in
from tests.support.follower import Follower
from tests.support.generated import one_example
from tests.support.tasks import prune_tombstones, server_entries

pytestmark = pytest.mark.django_db

VERBS = ("update", "complete", "reopen", "delete", "restore")
clients = st.integers(0, 2)


class Followers(RuleBasedStateMachine):
    owner: Any
    """Set in a subclass."""

    tasks = Bundle("tasks")

    @initialize()
    def begin(self):
        self.example = one_example()
        self.example.__enter__()
        self.caller = signed_in(self.owner)
        self.backup = ""
        self.followers = [Follower(self.caller, limit) for limit in (1, 2, 100)]

    @rule(target=tasks, number=st.integers(1, 4))
    def create(self, number):
        operations = [{"op": "create", "data": {"title": str(each)}} for each in range(number)]
        results = self.write("post", "/bulk", {"operations": operations}).json()["results"]
        return multiple(*(task["id"] for task in results))

    @rule(target=tasks, count=st.integers(1, 4), subtasks=st.integers(0, 2))
    def create_repeating(self, count, subtasks):
        task = {"title": "r", "due_date": "2999-01-31", "repeat": {"rule": f"FREQ=DAILY;COUNT={count}"}}
        created = self.write("post", "/tasks", task, statuses=(201,)).json()["id"]
        for _ in range(subtasks):
            self.write("post", "/tasks", {"title": "s", "parent": created}, statuses=(201,))
        return created

    @rule(target=tasks, task=tasks)
    def complete_and_continue(self, task):
        completed = self.write("post", f"/tasks/{task}/complete", statuses=(200, 404)).json()
        found = self.read(f"/tasks?series={completed.get('series') or task}&completed=false")["results"]
        return multiple(*(each["id"] for each in found))

    @rule(target=tasks, key=st.sampled_from("abc"))
    def create_with_key(self, key):
        response = self.write("post", "/tasks", {"title": key, "key": key}, statuses=(200, 201, 410))
        return multiple() if response.status_code == 410 else response.json()["id"]

    @rule(task=tasks, title=st.sampled_from("xyz"))
    def update(self, task, title):
        self.write("patch", f"/tasks/{task}", {"title": title}, statuses=(200, 404))

    @rule(task=tasks, verb=st.sampled_from(["complete", "reopen"]))
    def change(self, task, verb):
        self.write("post", f"/tasks/{task}/{verb}", statuses=(200, 404))

    @rule(operations=st.lists(st.tuples(tasks, st.sampled_from(VERBS)), min_size=1, max_size=4))
    def change_many(self, operations):
        data = {"data": {"priority": 3}}
        operations = [
            {"op": verb, "id": task, **(data if verb == "update" else {})} for task, verb in operations
        ]
        self.write("post", "/bulk", {"operations": operations}, statuses=(200, 404))

    @rule(task=tasks)
    def trash(self, task):
        self.write("delete", f"/tasks/{task}", statuses=(200, 404))

    @rule(task=tasks)
    def restore(self, task):
        self.write("post", f"/trash/{task}/restore", statuses=(200, 404))

    @rule(task=consumes(tasks), is_pruned=st.booleans())
    def purge(self, task, is_pruned):
        self.write("delete", f"/tasks/{task}", statuses=(200, 404))
        self.write("delete", f"/trash/{task}", statuses=(200, 404))
        if is_pruned:
            self.prune(behind=0)

    @rule()
    def empty_the_trash(self):
        self.write("delete", "/trash")

    @rule(behind=st.integers(0, 5))
    def prune(self, behind):
        if newest := Tombstone.objects.for_user(self.owner).order_by("version").last():
            prune_tombstones(self.owner, up_to=newest.version - behind)

    @rule()
    def back_up(self):
        self.backup = transaction.savepoint()

    @precondition(lambda self: self.backup)
    @rule()
    def restore_the_backup(self):
        transaction.savepoint_rollback(self.backup)
        list(start_new_epochs())

    @rule(client=clients)
    def read_a_page(self, client):
        self.followers[client].step()

    @rule(client=clients)
    def start_over(self, client):
        self.followers[client] = Follower(self.caller, limit=1)

    @rule(client=clients)
    def catch_up(self, client):
        self.check(self.followers[client])

    def teardown(self):
        try:
            for follower in self.followers:
                self.check(follower)
        finally:
            self.example.__exit__(None, None, None)

    def check(self, follower):
        while follower.step():
            continue
        assert follower.copy == server_entries(self.read)
        assert not any(recount(repair=False))

    def read(self, path):
        return self.caller("get", path).json()

    def write(self, *request, statuses=(200,)):
        response = self.caller(*request)
        assert response.status_code in statuses, response.content
        return response


def test_followers_end_with_the_state_of_the_server_whatever_happens(alice):
    machine = type("FollowersOfAlice", (Followers,), {"owner": alice})

    # Each example is a chain of 40 steps with several requests.
    run_state_machine_as_test(
        machine, settings=settings(max_examples=settings().max_examples // 2, stateful_step_count=40)
    )
