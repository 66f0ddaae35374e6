"""Concurrent moves, labels and deletions, from threads with their own connections to PostgreSQL."""

import itertools
from functools import partial

import pytest

from tasks.models import Label, Task
from tests.support.caller import signed_in
from tests.support.organisation import (
    assert_consistent,
    create_label,
    create_project,
    nested_projects,
    read,
    titles,
)
from tests.support.tasks import create_task
from tests.support.threads import run_each, run_together

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ROUNDS = 10


def statuses(responses):
    return [response.status_code for response in responses]


@pytest.mark.parametrize("kind", ["task", "project"])
def test_concurrent_moves_of_two_objects_into_each_other_make_no_circle(as_alice, alice, kind):
    path, create = {"task": ("/tasks", create_task), "project": ("/projects", create_project)}[kind]
    one, two = create(as_alice, "1")["id"], create(as_alice, "2")["id"]
    moves = [
        partial(as_alice, "post", f"{path}/{each}/move", {"parent": parent})
        for each, parent in ((one, two), (two, one))
    ]
    for _ in range(3):
        responses = run_each(*moves * 16)

        # One of them comes first, and the other one is refused.
        assert sorted(statuses(responses)) == [200] * 16 + [400] * 16
        entries = assert_consistent(as_alice, alice)
        assert sorted([entries[one]["parent"] is None, entries[two]["parent"] is None]) == [False, True]
        for each in (one, two):
            as_alice("post", f"{path}/{each}/move", {"parent": None})


def test_concurrent_insertions_at_one_place_get_distinct_positions(as_alice, alice):
    first, last = create_task(as_alice, "first")["id"], create_task(as_alice, "last")["id"]
    numbers = itertools.count()

    def insert():
        place = {"after": first} if next(numbers) % 2 else {"before": last}
        return signed_in(alice)("post", "/tasks", {"title": "x", **place}).json()

    created = run_together(32, insert)

    assert len({each["position"] for each in created}) == 32
    found = as_alice("get", "/tasks?ordering=position&limit=200").json()["results"]
    assert [each["position"] for each in found] == sorted(each["position"] for each in found)
    assert (found[0]["id"], found[-1]["id"], len(found)) == (first, last, 34)
    assert_consistent(as_alice, alice)


def test_concurrent_moves_within_a_list_keep_every_task(as_alice, alice):
    tasks = [create_task(as_alice, f"{number}")["id"] for number in range(16)]
    moves = [
        partial(as_alice, "post", f"/tasks/{each}/move", {"after": tasks[(number * 7 + 3) % 16]})
        for number, each in enumerate(tasks)
        if (number * 7 + 3) % 16 != number
    ]
    assert set(statuses(run_each(*moves * 2))) == {200}

    assert len(set(titles(as_alice))) == 16
    assert_consistent(as_alice, alice)


def test_two_devices_that_add_labels_lose_none(as_alice, alice):
    for number in range(ROUNDS):
        task = create_task(as_alice)
        labels = [create_label(as_alice, f"{number} {name}")["id"] for name in "abcd"]
        responses = run_each(
            *(
                partial(as_alice, "patch", f"/tasks/{task['id']}", {"add_labels": pair})
                for pair in (labels[:2], labels[2:])
            )
        )

        assert statuses(responses) == [200, 200]
        assert read(as_alice, task)["labels"] == sorted(labels)
    assert_consistent(as_alice, alice)


def test_concurrent_requests_create_one_label_of_a_name(as_alice, alice):
    names = itertools.cycle(["errand", "Errand", "ERRAND"])

    def create():
        body = {"title": "x", "add_labels": [{"name": next(names)}]}
        return signed_in(alice)("post", "/tasks", body).json()["labels"]

    labels = run_together(32, create)

    assert Label.objects.count() == 1
    assert labels == [[str(Label.objects.get().pk)]] * 32
    assert_consistent(as_alice, alice)


def test_concurrent_requests_to_create_a_label_succeed_once(as_alice, alice):
    responses = run_together(16, lambda: signed_in(alice)("post", "/labels", {"name": "errand"}))

    assert sorted(statuses(responses)) == [201] + [400] * 15
    assert Label.objects.count() == 1


def test_no_live_task_is_left_in_a_project_that_is_deleted_meanwhile(as_alice, alice):
    for _ in range(ROUNDS):
        outer, inner = nested_projects(as_alice, "outer", "inner")
        task = create_task(as_alice)
        creating = [partial(as_alice, "post", "/tasks", {"title": "x", "project": inner["id"]})] * 4
        deleted, moved, *created = run_each(
            partial(as_alice, "delete", f"/projects/{outer['id']}"),
            partial(as_alice, "patch", f"/tasks/{task['id']}", {"project": inner["id"]}),
            *creating,
        )

        assert deleted.status_code == 200
        assert {moved.status_code, *statuses(created)} <= {200, 201, 400}
        assert not Task.objects.live().filter(project__in=[outer["id"], inner["id"]]).exists()
    assert_consistent(as_alice, alice)


def test_either_a_restoration_or_a_concurrent_purge_of_a_project_succeeds(as_alice, alice):
    for _ in range(ROUNDS):
        outer, inner = nested_projects(as_alice, "outer", "inner")
        task = create_task(as_alice, project=inner["id"])
        as_alice("delete", f"/projects/{outer['id']}")
        restored, purged = run_each(
            partial(as_alice, "post", f"/trash/{outer['id']}/restore?kind=project"),
            partial(as_alice, "delete", f"/trash/{outer['id']}?kind=project"),
        )

        assert (restored.status_code, purged.status_code) in {(200, 404), (404, 200)}
        found = as_alice("get", f"/tasks/{task['id']}").status_code
        assert found == (200 if restored.status_code == 200 else 404)
    assert_consistent(as_alice, alice)


def test_deleting_a_label_while_it_is_added_leaves_no_task_with_it(as_alice, alice):
    for number in range(ROUNDS):
        label = create_label(as_alice, f"{number}")["id"]
        deleted, *changed = run_each(
            partial(as_alice, "delete", f"/labels/{label}"),
            *[partial(as_alice, "post", "/tasks", {"title": "x", "labels": [label]})] * 4,
        )

        assert deleted.status_code == 200
        assert set(statuses(changed)) <= {201, 400}
    assert_consistent(as_alice, alice)
