"""What only shows when two do it at once: threads with connections of their own, on PostgreSQL."""

import itertools
import random
import threading
from functools import partial

import pytest
from django.db import transaction

from tasks.models import Clock, Task
from tests.support.caller import signed_in
from tests.support.processes import TIMEOUT
from tests.support.tasks import create_task
from tests.support.threads import run_together

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ROUNDS = 30


def together(*works):
    """Each of these at once; what each gave back, in this order."""
    results, places = {}, itertools.count()

    def one():
        place = next(places)
        results[place] = works[place]()

    run_together(len(works), one)
    return [results[place] for place in range(len(works))]


@pytest.mark.parametrize(
    ("method", "verb", "body"),
    [("patch", "", {"title": "one"}), ("put", "", {"title": "one"}), ("delete", "", None)],
)
def test_of_two_writers_with_one_etag_one_wins_every_time(as_alice, method, verb, body):
    for _ in range(ROUNDS):
        task = create_task(as_alice)
        path, expected = f"/tasks/{task['id']}", {"If-Match": f'"{task["version"]}"'}
        first, second = together(
            partial(as_alice, method, path + verb, body, **expected),
            partial(as_alice, "patch", path, {"title": "two"}, **expected),
        )
        winner, loser = sorted((first, second), key=lambda response: response.status_code)

        # A PATCH that comes after the task went to the trash does not find it.
        assert (winner.status_code, loser.status_code) in {(200, 412), (200, 404)}
        if loser.status_code == 412:
            assert loser.json()["error"]["details"]["current"] == winner.json()
        assert Task.objects.get(pk=task["id"]).version == winner.json()["version"] == task["version"] + 1


def test_of_many_writers_with_one_etag_one_wins(as_alice):
    for _ in range(5):
        task = create_task(as_alice)
        path, expected = f"/tasks/{task['id']}", {"If-Match": f'"{task["version"]}"'}
        writers = [partial(as_alice, "patch", path, {"title": str(n)}, **expected) for n in range(16)]
        answers = together(*writers)

        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 15


def test_a_rename_and_a_completion_at_once_both_survive(as_alice):
    for number in range(ROUNDS):
        path = f"/tasks/{create_task(as_alice)['id']}"
        renamed, completed, planned = together(
            partial(as_alice, "patch", path, {"title": f"renamed {number}"}),
            partial(as_alice, "post", f"{path}/complete"),
            partial(as_alice, "patch", path, {"due_at": "2030-01-31T09:00:00Z"}),
        )

        task = as_alice("get", path).json()
        assert {answer.status_code for answer in (renamed, completed, planned)} == {200}
        assert (task["title"], task["completed"]) == (f"renamed {number}", True)
        assert task["due_at"] == "2030-01-31T09:00:00.000000Z"


def test_a_completion_by_many_at_once_has_one_time(as_alice, task):
    answers = run_together(12, lambda: as_alice("post", f"/tasks/{task['id']}/complete"))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert Task.objects.get().version == task["version"] + 1


def test_versions_are_given_once_and_without_gaps(as_alice, alice):
    run_together(20, lambda: create_task(signed_in(alice)))

    assert sorted(Task.objects.values_list("version", flat=True)) == list(range(1, 21))
    assert Clock.objects.get().tick == 20


def test_of_a_restore_and_a_purge_one_wins(as_alice):
    for _ in range(ROUNDS):
        task = create_task(as_alice)
        as_alice("delete", f"/tasks/{task['id']}")
        restored, purged = together(
            partial(as_alice, "post", f"/trash/{task['id']}/restore"),
            partial(as_alice, "delete", f"/trash/{task['id']}"),
        )

        assert (restored.status_code, purged.status_code) in {(200, 404), (404, 200)}
        assert Task.objects.filter(pk=task["id"]).exists() == (restored.status_code == 200)


def test_bulks_over_the_same_tasks_in_any_order_end_without_a_deadlock(as_alice):
    tasks = [create_task(as_alice, str(number))["id"] for number in range(20)]
    seeds = itertools.count()

    def shuffle_and_complete():
        order = random.Random(next(seeds)).sample(tasks, k=20)
        verbs = itertools.cycle(["complete", "reopen"])
        operations = [{"op": next(verbs), "id": task} for task in order]
        return as_alice("post", "/tasks/bulk", {"operations": operations}).status_code

    assert run_together(8, lambda: [shuffle_and_complete() for _ in range(5)]) == [[200] * 5] * 8


@pytest.mark.parametrize("path", ["/tasks", "/tasks/bulk"])
def test_fifty_retries_at_once_make_one_row_and_equal_answers(as_alice, path):
    task = {"title": "milk"}
    body = task if path == "/tasks" else {"operations": [{"op": "create", "data": task}]}
    answers = run_together(50, lambda: as_alice("post", path, body, **{"Idempotency-Key": "k"}))

    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert answers[0].status_code in {200, 201}
    assert len([answer for answer in answers if "Idempotent-Replayed" not in answer]) == 1
    assert Task.objects.count() == 1
    assert Clock.objects.get().tick == 1


def test_owners_do_not_wait_for_each_other(as_alice, as_bob, alice):
    """While a write of Alice's is not finished, Bob's is answered."""
    locked, answered = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Clock.objects.tick(alice)
            locked.set()
            return answered.wait(timeout=TIMEOUT)

    def write():
        assert locked.wait(timeout=TIMEOUT)
        response = as_bob("post", "/tasks", {"title": "beer"})
        answered.set()
        return response.status_code

    assert together(hold, write) == [True, 201]
