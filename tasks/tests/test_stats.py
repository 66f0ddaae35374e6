"""GET /tasks/stats."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.support.tasks import create_task, trashed

NOTHING = {"open": 0, "completed": 0, "overdue": 0, "trashed": 0}


@pytest.mark.parametrize("path", ["/tasks/stats", "/users/me/tasks/stats"])
def test_it_works(as_alice, as_bob, path):
    past, future = ((timezone.now() + timedelta(hours=hours)).isoformat() for hours in (-1, 1))
    create_task(as_alice)
    create_task(as_alice, due_at=past)
    create_task(as_alice, due_at=future)
    create_task(as_alice, due_at=past, completed=True)
    trashed(as_alice, due_at=past)
    trashed(as_alice, completed=True)

    assert as_alice("get", path).json() == {"open": 3, "completed": 1, "overdue": 1, "trashed": 2}
    assert as_bob("get", path).json() == NOTHING


def test_it_is_one_query_beside_the_caller(as_alice, django_assert_num_queries):
    create_task(as_alice)

    with django_assert_num_queries(2):
        as_alice("get", "/tasks/stats")
