"""The dashboard panel of tasks."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import count

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import FailedLogin, User
from tasks.models import Task
from tests.support.dashboard_page import index_page, panels, staff_with, table
from todo_project.db import counting

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
CHART = "Created and completed per day, the last 30 days"
versions = count(1)


@pytest.fixture(autouse=True)
def afternoon(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


@pytest.fixture
def staff(db):
    return staff_with("tasks.view_task")


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


def test_it_counts_open_completed_and_overdue_tasks(staff, alice, bob):
    make(alice, 3)
    make(bob, 2, due_at=NOW - timedelta(minutes=1))
    make(bob, 1, due_at=NOW + timedelta(minutes=1))
    make(alice, 4, completed=NOW)
    make(alice, 5, deleted_at=NOW, due_at=NOW - timedelta(days=1))

    assert panels(index_page(staff)) == {"Tasks": {"open": "6", "completed": "4", "overdue": "2"}}


def test_each_figure_leads_to_the_rows_that_it_counts(superuser, alice, bob):
    make(alice, 3)
    make(bob, 2, due_at=NOW - timedelta(minutes=1), created=NOW - timedelta(days=2))
    make(alice, 4, completed=NOW)
    make(alice, 5, deleted_at=NOW)
    User.objects.filter(pk=bob.pk).update(created_at=NOW - timedelta(days=8))
    for days in (0, 2, 3, 9):
        FailedLogin.objects.create(email="x@example.com", address="", at=NOW - timedelta(days=days))
    cache.clear()
    page = index_page(superuser)

    figures = re.findall(r'<(?:dd|td)><a href="(/admin/[^"]+)">([\d,]+)</a>', page)
    assert len(figures) == 3 + 2 + 2 + 3 + 30 + 24 + 7
    expected = {unescape(url): int(figure) for url, figure in figures if figure != "0"}
    assert {url: superuser.get(url).context["cl"].result_count for url in expected} == expected
    assert len(expected) > 12


@pytest.mark.parametrize(
    ("number", "sentence"), [(0, "No tasks yet."), (1, "Nothing was created or completed.")]
)
def test_without_recent_tasks_there_is_a_sentence_instead_of_a_chart(staff, alice, number, sentence):
    make(alice, number, created=NOW - timedelta(days=31))
    page = index_page(staff)

    assert panels(page) == {"Tasks": {"open": str(number), "completed": "0", "overdue": "0"}}
    assert sentence in page
    assert "<svg role" not in page


def test_each_of_thirty_days_has_its_counts(staff, alice):
    make(alice, 3, created=datetime(2026, 11, 21, tzinfo=UTC))
    make(alice, 2, created=datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC), completed=NOW)
    make(alice, 1, created=datetime(2026, 10, 23, tzinfo=UTC), deleted_at=NOW)
    make(alice, 7, created=datetime(2026, 10, 22, 23, 59, 59, 999999, tzinfo=UTC))
    numbers = table(index_page(staff), CHART)

    assert len(numbers) == 30
    assert " ".join(numbers).startswith("21 Nov 20 Nov")
    assert " ".join(numbers).endswith("24 Oct 23 Oct")
    assert {day: row for day, row in numbers.items() if row != ["0", "0"]} == {
        "21 Nov": ["3", "2"],
        "20 Nov": ["2", "0"],
        "23 Oct": ["1", "0"],
    }


def test_tasks_of_one_day_are_one_bar(staff, alice):
    make(alice, 1_000, created=NOW - timedelta(days=4))
    page = index_page(staff)

    assert re.findall(r'class="series-\d" x="[\d.]+%" y="([\d.]+)%" .*? height="([\d.]+)%"', page) == [
        ("0.00", "100.00")
    ]
    assert "<title>17 Nov: 1,000 created, 0 completed</title>" in page
    assert ">1,000 created, at most 1,000 (17 Nov). 0 completed.</desc>" in page


def test_the_count_of_a_day_stops_at_the_limit(staff, alice, monkeypatch):
    monkeypatch.setattr("tasks.dashboard.COUNT_LIMIT", 3)
    make(alice, 5)
    make(alice, 2, created=NOW - timedelta(days=1))
    page = index_page(staff)

    assert table(page, CHART)["21 Nov"] == ["3+", "0"]
    assert table(page, CHART)["20 Nov"] == ["2", "0"]
    assert "Bars stop at 3." in page


def test_it_makes_as_many_queries_for_many_tasks_as_for_few(staff, alice, django_assert_num_queries):
    make(alice)
    with CaptureQueriesContext(connection) as few:
        index_page(staff)
    make(alice, 200, completed=NOW)
    another = staff_with("tasks.view_task", "accounts.view_session")

    with django_assert_num_queries(len(few)):
        assert panels(index_page(another))["Tasks"]["completed"] == "200"


@pytest.mark.postgres
def test_counts_of_a_large_table_are_estimated_from_a_sample(staff, alice, bob, monkeypatch):
    make(alice, 2_000, description="x" * 300)
    make(bob, 2_000, description="x" * 300, completed=NOW)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")
    monkeypatch.setattr(counting, "MAX_PAGES", 100)
    tiles = panels(index_page(staff))["Tasks"]
    estimates = re.findall(r"about (\d,\d00)", f"{tiles['open']} {tiles['completed']}")

    assert len(estimates) == 2
    assert all(1_000 < int(estimate.replace(",", "")) < 3_000 for estimate in estimates)
