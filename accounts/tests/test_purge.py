"""manage.py purge: sessions, personal access tokens and failed sign-ins."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import FailedLogin, PersonalToken, Session
from tests.support.commands import purge

NOW = timezone.now()


def days(number):
    return NOW + timedelta(days=number)


@pytest.mark.parametrize(
    ("expires", "ended", "is_deleted"),
    [
        (1, None, False),
        (-29, None, False),
        (-31, None, True),
        (1, -29, False),
        (1, -31, True),
        (-31, -31, True),
    ],
)
def test_a_session_is_deleted_a_month_after_its_end(alice, expires, ended, is_deleted):
    ended_at = None if ended is None else days(ended)
    Session.objects.create(user=alice, expires_at=days(expires), ended_at=ended_at)

    assert purge("--only", "sessions", "--dry-run")[0] == f"sessions: {int(is_deleted)} would be deleted"
    assert purge("--only", "sessions")[0] == f"sessions: {int(is_deleted)} deleted"
    assert Session.objects.exists() != is_deleted


def test_an_active_session_survives_the_shortest_retention_period(as_alice):
    assert purge("--only", "sessions", "--session-days", "0")[0] == "sessions: 0 deleted"
    assert as_alice("get", "/me").status_code == 200


@pytest.mark.parametrize(("expires", "is_deleted"), [(1, False), (-29, False), (-31, True)])
def test_a_personal_token_is_deleted_a_month_after_it_expired(alice, expires, is_deleted):
    PersonalToken.objects.create(user=alice, name="script", expires_at=days(expires))

    assert purge("--only", "tokens")[0] == f"tokens: {int(is_deleted)} deleted"
    assert PersonalToken.objects.exists() != is_deleted


def test_failed_sign_ins_are_deleted_after_a_week(db):
    for number in (0, 6, 8):
        FailedLogin.objects.create(email=f"{number}@example.com", at=days(-number))

    assert purge("--only", "failed-logins")[0] == "failed-logins: 1 deleted"
    assert set(FailedLogin.objects.values_list("email", flat=True)) == {"0@example.com", "6@example.com"}
