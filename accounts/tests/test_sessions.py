"""GET and DELETE /me/sessions."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Session
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, Caller, sign_in, signed_in


def test_sessions_are_listed_and_the_current_one_is_marked(as_alice, bob):
    sign_in(**{"User-Agent": "Phone\x07 of Alice"})
    bob.set_password(PASSWORD)
    bob.save()
    sign_in("bob@example.com")

    sessions = as_alice("get", "/me/sessions").json()["results"]

    assert [session["current"] for session in sessions] == [False, True]
    assert sessions[0]["user_agent"] == "Phone of Alice"
    assert set(sessions[0]) == {
        "id", "current", "user_agent", "address", "created_at", "last_used_at", "expires_at",
    }  # fmt: skip


def test_a_session_can_be_ended_by_its_id(as_alice):
    other = sign_in().json()
    sessions = as_alice("get", "/me/sessions").json()["results"]
    [other_id] = [session["id"] for session in sessions if not session["current"]]

    assert as_alice("delete", f"/me/sessions/{other_id}").json() == {"ended": 1}
    assert_error(Caller(other["access"])("get", "/me"), 401, "INVALID_TOKEN")
    assert_error(as_alice("delete", f"/me/sessions/{other_id}"), 404, "NOT_FOUND")


def test_all_sessions_can_be_ended_with_one_request(as_alice):
    other = Caller(sign_in().json()["access"])

    assert as_alice("delete", "/me/sessions").json() == {"ended": 2}
    for caller in (as_alice, other):
        assert_error(caller("get", "/me"), 401, "INVALID_TOKEN")


def test_an_ended_or_expired_session_is_not_listed(as_alice):
    sign_in()
    sign_in()
    first, second = Session.objects.order_by("-created_at")[:2]
    Session.objects.filter(pk=first.pk).update(ended_at=timezone.now())
    Session.objects.filter(pk=second.pk).update(expires_at=timezone.now() - timedelta(seconds=1))

    assert [session["current"] for session in as_alice("get", "/me/sessions").json()["results"]] == [True]


def test_a_sign_in_above_the_quota_ends_the_oldest_session(alice, bob, settings):
    settings.QUOTA_SESSIONS = 2
    bobs = signed_in(bob)
    first, second = (Caller(sign_in().json()["access"]) for _ in range(2))
    third = Caller(sign_in().json()["access"])

    assert_error(first("get", "/me"), 401, "INVALID_TOKEN")
    assert [caller("get", "/me").status_code for caller in (second, third, bobs)] == [200] * 3


@pytest.mark.parametrize("column", ["ended_at", "expires_at"])
def test_ended_and_expired_sessions_do_not_count_towards_the_quota(alice, settings, column):
    settings.QUOTA_SESSIONS = 2
    kept = signed_in(alice)
    other = sign_in().json()
    latest = Session.objects.latest("created_at")
    Session.objects.filter(pk=latest.pk).update(**{column: timezone.now()})
    assert_error(Caller(other["access"])("get", "/me"), 401, "INVALID_TOKEN")
    sign_in()

    assert kept("get", "/me").status_code == 200
