"""Concurrent completions of a repeating task: one next occurrence."""

import uuid
from collections import Counter
from functools import partial

import pytest

from tasks.ledger.counts import count_rows
from tasks.ledger.models import Clock
from tasks.models import Task
from tests.support.caller import signed_in
from tests.support.follower import Follower
from tests.support.repeating import next_of, open_occurrences, repeating
from tests.support.tasks import create_task, server_entries
from tests.support.threads import run_each, run_together

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def check(user):
    """The counts equal the rows, and a follower's copy equals the server's objects."""
    caller = signed_in(user)
    assert Clock.objects.get(owner=user).counts == count_rows(user)
    follower = Follower(caller, limit=3)
    while follower.step():
        continue
    assert follower.copy == server_entries(lambda path: caller("get", path).json())


@pytest.mark.parametrize("key", [None, "one for all", "one each"])
def test_32_concurrent_completions_create_one_next_occurrence(as_alice, alice, key):
    task = repeating(as_alice)
    create_task(as_alice, parent=task["id"])
    path = f"/tasks/{task['id']}/complete"

    def complete(number):
        keys = {
            None: {},
            "one for all": {"Idempotency-Key": "k"},
            "one each": {"Idempotency-Key": str(number)},
        }
        return as_alice("post", path, **keys[key])

    responses = run_each(*(partial(complete, number) for number in range(32)))

    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert Task.objects.filter(parent=None).count() == Task.objects.exclude(parent=None).count() == 2
    assert next_of(as_alice, task)["due_date"] == "2999-02-01"
    check(alice)


def test_every_way_of_completing_at_once_creates_one_next_occurrence(as_alice, alice):
    for _ in range(10):
        task = repeating(as_alice)
        path = f"/tasks/{task['id']}"
        responses = run_each(
            partial(as_alice, "post", f"{path}/complete"),
            partial(as_alice, "patch", path, {"completed": True}),
            partial(as_alice, "put", path, {"title": "x", "due_date": "2999-01-31", "completed": True}),
            partial(as_alice, "post", "/bulk", {"operations": [{"op": "complete", "id": task["id"]}]}),
        )

        assert {response.status_code for response in responses} == {200}
        assert next_of(as_alice, task)["due_date"] == "2999-02-01"
    check(alice)


def test_completing_against_reopening_leaves_one_open_occurrence(as_alice, alice):
    task = repeating(as_alice)
    create_task(as_alice, parent=task["id"])
    for _ in range(15):
        responses = run_each(
            *[partial(as_alice, "post", f"/tasks/{task['id']}/complete")] * 3,
            *[partial(as_alice, "post", f"/tasks/{task['id']}/reopen")] * 3,
        )

        assert {response.status_code for response in responses} == {200}
        assert len(open_occurrences(as_alice, task)) == 1
        assert Task.objects.count() in {2, 4}
    check(alice)


def test_concurrent_skips_of_an_occurrence_skip_one(as_alice, alice):
    task = repeating(as_alice)
    body = {"due_date": "2999-01-31"}
    responses = run_together(16, lambda: as_alice("post", f"/tasks/{task['id']}/skip", body))

    assert {response.status_code for response in responses} == {200}
    assert {response.json()["due_date"] for response in responses} == {"2999-02-01"}
    check(alice)


def test_skipping_against_completing_loses_no_occurrence(as_alice, alice):
    """Either the present day is completed, or the next one, to which the task has moved on."""
    expected = {"2999-01-31": "2999-02-01", "2999-02-01": "2999-02-02"}
    for _ in range(15):
        task = repeating(as_alice)
        skipped, completed = run_each(
            partial(as_alice, "post", f"/tasks/{task['id']}/skip", {"due_date": "2999-01-31"}),
            partial(as_alice, "post", f"/tasks/{task['id']}/complete"),
        )

        assert (skipped.status_code, completed.status_code) in {(200, 200), (409, 200)}
        assert next_of(as_alice, task)["due_date"] == expected[completed.json()["due_date"]]
    check(alice)


def next_ids(caller, task, number):
    """As a client computes them."""
    found = caller("get", f"/tasks/{task['id']}/occurrences?limit={number}").json()["results"]
    return [str(uuid.uuid5(uuid.UUID(task["series"]), each["due_date"])) for each in found]


def test_two_offline_clients_that_completed_and_went_on_create_each_occurrence_once(as_alice, alice):
    """Each shows the next occurrence, whose ID it computes, and has changed it before it is online again."""
    for _ in range(10):
        task = repeating(as_alice)
        ids = next_ids(as_alice, task, 2)
        operations = [
            {"op": "complete", "id": task["id"], "if_match": task["version"]},
            {"op": "complete", "id": ids[0], "if_match": 0},
        ]
        responses = run_together(2, lambda: as_alice("post", "/bulk", {"operations": operations}))  # noqa: B023

        assert Counter(response.status_code for response in responses) == {200: 1, 412: 1}
        occurrences = as_alice("get", f"/tasks?series={task['id']}&ordering=due").json()["results"]
        assert [each["id"] for each in occurrences] == [task["id"], *ids]
        assert [each["completed"] for each in occurrences] == [True, True, False]
    check(alice)


def test_completing_tasks_of_a_bulk_request_in_any_order_does_not_deadlock(as_alice, alice):
    tasks = [repeating(as_alice)["id"] for _ in range(10)]

    def complete_all(order):
        operations = [{"op": "complete", "id": task} for task in order]
        return as_alice("post", "/bulk", {"operations": operations}).status_code

    assert run_each(*[partial(complete_all, tasks), partial(complete_all, tasks[::-1])] * 4) == [200] * 8
    assert Task.objects.count() == 20
    check(alice)


def test_trashing_against_completing_keeps_the_series_consistent(as_alice, alice):
    for _ in range(15):
        task = repeating(as_alice)
        completed, trashed = run_each(
            partial(as_alice, "post", f"/tasks/{task['id']}/complete"),
            partial(as_alice, "delete", f"/tasks/{task['id']}"),
        )

        assert (completed.status_code, trashed.status_code) in {(200, 200), (404, 200)}
        assert len(open_occurrences(as_alice, task)) == (completed.status_code == 200)
    check(alice)
