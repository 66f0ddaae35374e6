"""Concurrent requests, from threads with their own connections to PostgreSQL."""

import itertools
import random
import threading
from functools import partial

import pytest
from django.db import transaction

from tasks.ledger.models import Clock
from tasks.models import Task
from tests.support.caller import signed_in
from tests.support.processes import TIMEOUT
from tests.support.tasks import create_task
from tests.support.threads import run_each, run_together

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ROUNDS = 30


@pytest.mark.usefixtures("each_way_of_writing")
@pytest.mark.parametrize(
    ("method", "verb", "body"),
    [("patch", "", {"title": "one"}), ("put", "", {"title": "one"}), ("delete", "", None)],
)
def test_one_of_two_concurrent_writers_with_the_same_etag_succeeds(as_alice, method, verb, body):
    for _ in range(ROUNDS):
        task = create_task(as_alice)
        path, expected = f"/tasks/{task['id']}", {"If-Match": f'"{task["version"]}"'}
        first, second = run_each(
            partial(as_alice, method, path + verb, body, **expected),
            partial(as_alice, "patch", path, {"title": "two"}, **expected),
        )
        winner, loser = sorted((first, second), key=lambda response: response.status_code)

        # A PATCH that comes after the task went to the trash does not find it.
        assert (winner.status_code, loser.status_code) in {(200, 412), (200, 404)}
        if loser.status_code == 412:
            assert loser.json()["error"]["details"]["current"] == winner.json()
        assert Task.objects.get(pk=task["id"]).version == winner.json()["version"] == task["version"] + 1


@pytest.mark.usefixtures("each_way_of_writing")
def test_one_of_many_concurrent_writers_with_the_same_etag_succeeds(as_alice):
    for _ in range(5):
        task = create_task(as_alice)
        path, expected = f"/tasks/{task['id']}", {"If-Match": f'"{task["version"]}"'}
        writers = [partial(as_alice, "patch", path, {"title": str(n)}, **expected) for n in range(16)]
        responses = run_each(*writers)

        assert sorted(response.status_code for response in responses) == [200] + [412] * 15


@pytest.mark.usefixtures("each_way_of_writing")
def test_concurrent_changes_of_different_fields_are_all_kept(as_alice):
    for number in range(ROUNDS):
        path = f"/tasks/{create_task(as_alice)['id']}"
        renamed, completed, planned = run_each(
            partial(as_alice, "patch", path, {"title": f"renamed {number}"}),
            partial(as_alice, "post", f"{path}/complete"),
            partial(as_alice, "patch", path, {"due_at": "2030-01-31T09:00:00Z"}),
        )

        task = as_alice("get", path).json()
        assert {response.status_code for response in (renamed, completed, planned)} == {200}
        assert (task["title"], task["completed"]) == (f"renamed {number}", True)
        assert task["due_at"] == "2030-01-31T09:00:00.000000Z"


def test_concurrent_completions_of_a_task_set_one_time(as_alice, task):
    responses = run_together(12, lambda: as_alice("post", f"/tasks/{task['id']}/complete"))

    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert Task.objects.get().version == task["version"] + 1


@pytest.mark.usefixtures("each_way_of_writing")
def test_concurrent_creations_get_unique_versions_without_gaps(as_alice, alice):
    run_together(20, lambda: create_task(signed_in(alice)))

    assert sorted(Task.objects.values_list("version", flat=True)) == list(range(1, 21))
    assert Clock.objects.get().tick == 20


def test_either_a_restore_or_a_concurrent_purge_succeeds(as_alice):
    for _ in range(ROUNDS):
        task = create_task(as_alice)
        as_alice("delete", f"/tasks/{task['id']}")
        restored, purged = run_each(
            partial(as_alice, "post", f"/trash/{task['id']}/restore"),
            partial(as_alice, "delete", f"/trash/{task['id']}"),
        )

        assert (restored.status_code, purged.status_code) in {(200, 404), (404, 200)}
        assert Task.objects.filter(pk=task["id"]).exists() == (restored.status_code == 200)


def test_concurrent_bulk_requests_for_the_same_tasks_do_not_deadlock(as_alice):
    tasks = [create_task(as_alice, str(number))["id"] for number in range(20)]
    seeds = itertools.count()

    def shuffle_and_complete():
        order = random.Random(next(seeds)).sample(tasks, k=20)
        verbs = itertools.cycle(["complete", "reopen"])
        operations = [{"op": next(verbs), "id": task} for task in order]
        return as_alice("post", "/bulk", {"operations": operations}).status_code

    assert run_together(8, lambda: [shuffle_and_complete() for _ in range(5)]) == [[200] * 5] * 8


@pytest.mark.parametrize("path", ["/tasks", "/bulk"])
def test_fifty_concurrent_retries_create_one_task_and_get_equal_responses(as_alice, path):
    task = {"title": "milk"}
    body = task if path == "/tasks" else {"operations": [{"op": "create", "data": task}]}
    responses = run_together(50, lambda: as_alice("post", path, body, **{"Idempotency-Key": "k"}))

    assert len({(response.status_code, response.content) for response in responses}) == 1
    assert responses[0].status_code in {200, 201}
    assert len([response for response in responses if "Idempotent-Replayed" not in response]) == 1
    assert Task.objects.count() == 1
    assert Clock.objects.get().tick == 1


def test_a_write_does_not_wait_for_a_write_of_another_owner(as_alice, as_bob, alice):
    """Bob gets a response while a transaction of Alice is open."""
    locked, finished = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Clock.objects.lock(alice)
            locked.set()
            return finished.wait(timeout=TIMEOUT)

    def write():
        assert locked.wait(timeout=TIMEOUT)
        response = as_bob("post", "/tasks", {"title": "beer"})
        finished.set()
        return response.status_code

    assert run_each(hold, write) == [True, 201]
