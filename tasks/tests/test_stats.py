"""GET /tasks/stats."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tasks.models import Task
from tests.support.tasks import create_task, trashed

EMPTY = {"open": 0, "completed": 0, "overdue": 0, "trashed": 0}


@pytest.mark.parametrize("path", ["/tasks/stats", "/users/me/tasks/stats"])
def test_statistics_count_open_completed_overdue_and_trashed_tasks(as_alice, as_bob, path):
    past, future = ((timezone.now() + timedelta(hours=hours)).isoformat() for hours in (-1, 1))
    create_task(as_alice)
    create_task(as_alice, due_at=past)
    create_task(as_alice, due_at=future)
    create_task(as_alice, due_at=past, completed=True)
    trashed(as_alice, due_at=past)
    trashed(as_alice, completed=True)

    assert as_alice("get", path).json() == {"open": 3, "completed": 1, "overdue": 1, "trashed": 2}
    assert as_bob("get", path).json() == EMPTY


def test_a_change_that_keeps_the_state_of_tasks_changes_no_statistics(as_alice):
    tasks = [create_task(as_alice), create_task(as_alice)]
    before = as_alice("get", "/tasks/stats").json()
    changes = [{"op": "update", "id": task["id"], "data": {"title": "bread"}} for task in tasks]

    assert as_alice("patch", f"/tasks/{tasks[0]['id']}", {"title": "bread"}).status_code == 200
    assert as_alice("post", "/bulk", {"operations": changes}).status_code == 200
    assert as_alice("get", "/tasks/stats").json() == before


def test_statistics_read_no_rows_of_tasks_but_overdue_ones(as_alice):
    """Rows that are removed behind the clock's back are still counted."""
    past = (timezone.now() - timedelta(hours=1)).isoformat()
    create_task(as_alice)
    create_task(as_alice, completed=True)
    create_task(as_alice, due_at=past)
    trashed(as_alice)
    Task.objects.all().delete()

    assert as_alice("get", "/tasks/stats").json() == {"open": 2, "completed": 1, "overdue": 0, "trashed": 1}
