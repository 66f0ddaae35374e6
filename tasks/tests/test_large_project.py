"""A project with 10,000 tasks is deleted, restored and purged by as many statements as a small one."""

import itertools
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.models import Task, TaskLabel
from tests.support.caller import signed_in
from tests.support.follower import Follower
from tests.support.organisation import create_label, create_project, nested_projects
from tests.support.tasks import create_task, store_tasks

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def fill(owner, outer, inner, label, number):
    """Half of the tasks are in the inner project. Some are subtasks, every fourth one has the label."""
    ids = [uuid.uuid4() for _ in range(number)]
    rows = store_tasks(
        owner,
        *(
            {
                "id": each,
                "title": f"task {place}",
                "project_id": (outer, inner)[place // 2 % 2],
                "parent_id": ids[place - 1] if place % 2 and place % 3 == 0 else None,
                "labels": [uuid.UUID(label)] if place % 4 == 0 else [],
            }
            for place, each in enumerate(ids)
        ),
    )
    TaskLabel.objects.bulk_create(
        TaskLabel(owner=owner, task=each, label_id=label) for each in rows if each.labels
    )


def statements(caller, method, path):
    with CaptureQueriesContext(connection) as queries:
        response = caller(method, path)
    assert response.status_code == 200, response.content
    return [query["sql"] for query in queries]


def rows():
    """All tasks, without what every change changes."""
    values: Any = Task.objects.values()
    changing = {"version", "updated_at"}
    return {each["id"]: {name: each[name] for name in each.keys() - changing} for each in values}


def test_a_project_of_any_size_costs_as_many_statements(as_alice, alice):
    counts = []
    for number in (12, 1_000):
        outer, inner = (each["id"] for each in nested_projects(as_alice, "outer", "inner"))
        label = create_label(as_alice, f"label {number}")["id"]
        fill(alice, outer, inner, label, number)
        other = create_task(as_alice, project=create_project(as_alice)["id"], labels=[label])
        before, feed = rows(), Follower(as_alice, limit=500)
        follow(feed)
        own = {key for key, each in before.items() if str(each["project_id"]) in {outer, inner}}
        assert len(own) == number

        deleted = statements(as_alice, "delete", f"/projects/{outer}")
        assert {each["deleted_at"] for key, each in rows().items() if key in own} != {None}
        assert Task.objects.live().filter(pk__in=own).count() == 0
        restored = statements(as_alice, "post", f"/trash/{outer}/restore?kind=project")
        assert rows() == before
        statements(as_alice, "delete", f"/projects/{outer}")
        dry_run = statements(as_alice, "delete", f"/trash/{outer}?kind=project&dry_run=true")
        purged = statements(as_alice, "delete", f"/trash/{outer}?kind=project")

        assert rows().keys() == before.keys() - own
        assert as_alice("get", f"/tasks/{other['id']}").json() == other
        follow(feed)
        fresh = Follower(signed_in(alice), limit=500)
        follow(fresh)
        assert feed.copy == fresh.copy
        assert not feed.copy.keys() & {str(key) for key in own}
        counts.append([len(each) for each in (deleted, restored, dry_run, purged)])
        for each in (deleted, restored, purged):
            assert sum(sql == "BEGIN" for sql in each) == sum(sql == "COMMIT" for sql in each) == 1
        assert not TaskLabel.objects.filter(task__in=own).exists()

    assert counts[0] == counts[1]
    assert max(itertools.chain(*counts)) <= 16


def test_emptying_the_trash_purges_a_large_project(as_alice, alice):
    outer, inner = (each["id"] for each in nested_projects(as_alice, "outer", "inner"))
    fill(alice, outer, inner, create_label(as_alice)["id"], 1_000)
    as_alice("delete", f"/projects/{outer}")

    assert as_alice("delete", "/trash?kind=project").json() == {"purged": 1_002}
    assert not Task.objects.exists()
    assert not TaskLabel.objects.exists()


def follow(follower):
    while follower.step():
        pass
