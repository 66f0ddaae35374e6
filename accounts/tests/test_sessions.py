"""GET and DELETE /me/sessions."""

from datetime import timedelta

from django.utils import timezone

from accounts.models import Session
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, Caller, sign_in


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
