"""The dashboard panels of users and failed sign-ins."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import FailedLogin, User
from tests.support.dashboard_page import index_page, panels, staff_with, table

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def afternoon(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


def fail(number, *, at):
    FailedLogin.objects.bulk_create(
        FailedLogin(email="alice@example.com", address="203.0.113.7", at=at) for _ in range(number)
    )


def join(number, *, at):
    User.objects.bulk_create(User(name="Somebody", created_at=at) for _ in range(number))


def test_it_counts_all_users_and_new_users(db):
    join(1_500, at=NOW - timedelta(days=8))
    join(3, at=NOW - timedelta(days=6))
    staff = staff_with("accounts.view_user")
    User.objects.filter(is_staff=True).update(created_at=NOW - timedelta(days=9))

    assert panels(index_page(staff)) == {"Users": {"total": "1,504", "new in 7 days": "3"}}


def test_it_counts_failed_sign_ins_per_hour_and_per_day(db):
    fail(4, at=NOW)
    fail(3, at=datetime(2026, 11, 21, 13, 59, 59, tzinfo=UTC))
    fail(2, at=datetime(2026, 11, 15, tzinfo=UTC))
    fail(1, at=datetime(2026, 11, 14, 14, 4, tzinfo=UTC))
    page = index_page(staff_with("accounts.view_failedlogin"))
    hours, days = table(page, "Failed sign-ins per hour"), table(page, "Failed sign-ins per day")

    assert panels(page) == {"Failed sign-ins": {"in 24 hours": "7", "in 7 days": "9"}}
    assert (len(hours), len(days)) == (24, 7)
    assert (hours["14:00"], hours["13:00"], hours["12:00"]) == (["4"], ["3"], ["0"])
    assert (days["21 Nov"], days["20 Nov"], days["15 Nov"]) == (["7"], ["0"], ["2"])


def test_without_failed_sign_ins_there_are_no_charts(db):
    page = index_page(staff_with("accounts.view_failedlogin"))

    assert panels(page) == {"Failed sign-ins": {"in 24 hours": "0", "in 7 days": "0"}}
    assert "figures-chart" not in page


def test_counts_of_failed_sign_ins_stop_at_the_limit(db, monkeypatch):
    monkeypatch.setattr("accounts.dashboard.COUNT_LIMIT", 5)
    fail(8, at=NOW)
    page = index_page(staff_with("accounts.view_failedlogin"))

    assert panels(page) == {"Failed sign-ins": {"in 24 hours": "5+", "in 7 days": "5+"}}
    assert table(page, "Failed sign-ins per hour")["14:00"] == ["5+"]


def test_a_failed_sign_in_is_counted(db):
    staff = staff_with("accounts.view_failedlogin")
    staff.post("/api/v1/auth/token", {"email": "x@example.com", "password": "?"}, "application/json")

    assert panels(index_page(staff)) == {"Failed sign-ins": {"in 24 hours": "1", "in 7 days": "1"}}
