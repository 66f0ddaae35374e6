"""What the admin's first page tells of tasks."""

import re
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.models import Task
from tests.support.dashboard_page import first_page, panels, staff, table
from todo_project.db import counting

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
CHART = "Created and completed per day, the last 30 days"
versions = count(1)


@pytest.fixture(autouse=True)
def afternoon(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


@pytest.fixture
def looking(db):
    return staff("tasks.view_task")


def make(owner, number=1, *, created=NOW, completed=None, **fields):
    Task.objects.bulk_create(
        Task(
            owner=owner,
            title="milk",
            version=next(versions),
            created_at=created,
            completed=completed is not None,
            completed_at=completed,
            **fields,
        )
        for _ in range(number)
    )


def test_it_tells_how_many_are_open_completed_and_overdue(looking, alice, bob):
    make(alice, 3)
    make(bob, 2, due_at=NOW - timedelta(minutes=1))
    make(bob, 1, due_at=NOW + timedelta(minutes=1))
    make(alice, 4, completed=NOW)
    make(alice, 5, deleted_at=NOW, due_at=NOW - timedelta(days=1))

    assert panels(first_page(looking)) == {"Tasks": {"open": "6", "completed": "4", "overdue": "2"}}


def test_without_tasks_it_says_so(looking):
    page = first_page(looking)

    assert panels(page) == {"Tasks": {"open": "0", "completed": "0", "overdue": "0"}}
    assert "No tasks yet." in page
    assert "<svg role" not in page


def test_without_recent_tasks_it_says_so(looking, alice):
    make(alice, created=NOW - timedelta(days=31))
    page = first_page(looking)

    assert "Nothing was created or completed." in page
    assert "<svg role" not in page


def test_each_of_thirty_days_has_its_number(looking, alice):
    make(alice, 3, created=datetime(2026, 11, 21, tzinfo=UTC))
    make(alice, 2, created=datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC), completed=NOW)
    make(alice, 1, created=datetime(2026, 10, 23, tzinfo=UTC), deleted_at=NOW)
    make(alice, 7, created=datetime(2026, 10, 22, 23, 59, 59, 999999, tzinfo=UTC))
    numbers = table(first_page(looking), CHART)

    assert len(numbers) == 30
    assert " ".join(numbers).startswith("21 Nov 20 Nov")
    assert " ".join(numbers).endswith("24 Oct 23 Oct")
    assert {day: row for day, row in numbers.items() if row != ["0", "0"]} == {
        "21 Nov": ["3", "2"],
        "20 Nov": ["2", "0"],
        "23 Oct": ["1", "0"],
    }


def test_all_on_one_day_are_one_bar_of_the_chart(looking, alice):
    make(alice, 1_000, created=NOW - timedelta(days=4))
    page = first_page(looking)

    assert re.findall(r'class="series-\d" x="[\d.]+%" y="([\d.]+)%" .*? height="([\d.]+)%"', page) == [
        ("0.00", "100.00")
    ]
    assert "<title>17 Nov: 1,000 created, 0 completed</title>" in page
    assert ">1,000 created, at most 1,000 (17 Nov). 0 completed.</desc>" in page


def test_counting_a_day_stops(looking, alice, monkeypatch):
    monkeypatch.setattr("tasks.dashboard.MOST", 3)
    make(alice, 5)
    make(alice, 2, created=NOW - timedelta(days=1))
    page = first_page(looking)

    assert table(page, CHART)["21 Nov"] == ["3+", "0"]
    assert table(page, CHART)["20 Nov"] == ["2", "0"]
    assert "No bar is counted beyond 3." in page


def test_many_cost_as_many_queries_as_few(looking, alice, django_assert_num_queries):
    make(alice)
    with CaptureQueriesContext(connection) as few:
        first_page(looking)
    make(alice, 200, completed=NOW)
    another = staff("tasks.view_task", "accounts.view_session")

    with django_assert_num_queries(len(few)):
        assert panels(first_page(another))["Tasks"]["completed"] == "200"


@pytest.mark.postgres
def test_a_large_table_is_judged_by_some_of_its_pages(looking, alice, bob, monkeypatch):
    make(alice, 2_000, description="x" * 300)
    make(bob, 2_000, description="x" * 300, completed=NOW)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")
    monkeypatch.setattr(counting, "PAGES", 100)
    told = panels(first_page(looking))["Tasks"]
    estimates = re.findall(r"about (\d,\d00)", f"{told['open']} {told['completed']}")

    assert len(estimates) == 2
    assert all(1_000 < int(estimate.replace(",", "")) < 3_000 for estimate in estimates)
