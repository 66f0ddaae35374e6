"""GET, PATCH, DELETE /me and POST /me/password."""

import pytest

from accounts.models import PersonalToken, Session, User
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, Caller, sign_in

NEW = "another horse, another battery"


def test_the_profile_describes_the_signed_in_user(as_alice, alice):
    profile = as_alice("get", "/me").json()

    assert set(profile) == {"id", "email", "name", "time_zone", "has_password", "created_at"}
    assert (profile["id"], profile["has_password"]) == (str(alice.pk), True)


def test_the_name_can_be_changed_and_an_empty_change_changes_nothing(as_alice):
    changed = as_alice("patch", "/me", {"name": "Alice Liddell"}).json()

    assert changed["name"] == "Alice Liddell"
    assert as_alice("get", "/me").json() == changed
    assert as_alice("patch", "/me", {}).json() == changed


def test_a_user_has_a_time_zone(as_alice):
    assert as_alice("get", "/me").json()["time_zone"] == "UTC"
    for name in ("Australia/Lord_Howe", "Pacific/Kiritimati", "America/Santiago", "Etc/GMT+12"):
        assert as_alice("patch", "/me", {"time_zone": name}).json()["time_zone"] == name
    assert as_alice("get", "/me").json()["time_zone"] == "Etc/GMT+12"


@pytest.mark.parametrize(
    ("body", "field", "constraint"),
    [
        ({"email": "eve@example.com"}, "email", "read_only"),
        ({"id": "x"}, "id", "read_only"),
        ({"is_staff": True}, "is_staff", "unknown"),
        ({"password": NEW}, "password", "unknown"),
        ({"name": None}, "name", "null"),
        ({"name": "x" * 151}, "name", "max_length"),
        ({"time_zone": "Mars/Base"}, "time_zone", "unknown"),
        ({"time_zone": "europe/berlin"}, "time_zone", "unknown"),
        ({"time_zone": "Factory"}, "time_zone", "unknown"),
        ({"time_zone": ""}, "time_zone", "blank"),
        ({"time_zone": 1}, "time_zone", "invalid"),
    ],
)
def test_any_other_change_of_the_profile_is_refused_with_the_field(as_alice, body, field, constraint):
    response = as_alice("patch", "/me", body)

    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)


def test_the_error_does_not_say_that_the_server_sets_the_email(as_alice):
    response = as_alice("patch", "/me", {"email": "eve@example.com"})

    error = assert_error(response, 400, "VALIDATION_ERROR", field="email")
    assert error["message"] == "Email cannot be changed here."


def change(caller, current=PASSWORD, new=NEW):
    return caller("post", "/me/password", {"current_password": current, "new_password": new})


def test_changing_the_password_ends_all_other_sessions_immediately(as_alice, pair):
    other = sign_in().json()

    assert change(as_alice).status_code == 200
    assert as_alice("get", "/me").status_code == 200
    assert_error(Caller(other["access"])("get", "/me"), 401, "INVALID_TOKEN")
    assert_error(Caller()("post", "/auth/token/refresh", {"refresh": other["refresh"]}), 401, "INVALID_TOKEN")
    assert_error(sign_in(), 401, "INVALID_CREDENTIALS")
    assert sign_in(password=NEW).status_code == 200


@pytest.mark.parametrize(
    ("passwords", "field", "constraint"),
    [
        ({"current": "wrong"}, "current_password", "wrong"),
        ({"new": "password123"}, "new_password", "password_too_common"),
    ],
)
def test_a_wrong_current_password_and_a_weak_new_one_are_refused(as_alice, passwords, field, constraint):
    response = change(as_alice, **passwords)

    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)
    assert sign_in().status_code == 200


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}])
def test_guessing_the_current_password_is_limited(as_alice, key):
    body = {"current_password": "wrong", "new_password": NEW}
    statuses = [as_alice("post", "/me/password", body, **key).status_code for _ in range(6)]

    assert statuses == [400] * 5 + [429]
    assert_error(change(as_alice), 429, "TOO_MANY_ATTEMPTS")


def test_deleting_the_account_requires_the_password(as_alice):
    assert_error(as_alice("delete", "/me"), 400, "VALIDATION_ERROR", field="password")
    assert_error(as_alice("delete", "/me", {"password": "wrong"}), 400, "VALIDATION_ERROR", field="password")
    assert User.objects.count() == 1


def test_deleting_the_account_deletes_all_of_its_credentials(as_alice, pair):
    personal = as_alice("post", "/me/tokens", {"name": "n", "scopes": ["account"]}).json()["token"]
    response = as_alice("delete", "/me", {"password": PASSWORD})

    assert response.status_code == 200
    assert (User.objects.count(), Session.objects.count(), PersonalToken.objects.count()) == (0, 0, 0)
    for token in (pair["access"], personal):
        assert_error(Caller(token)("get", "/me"), 401, "INVALID_TOKEN")
    assert_error(Caller()("post", "/auth/token/refresh", {"refresh": pair["refresh"]}), 401, "INVALID_TOKEN")
    assert_error(sign_in(), 401, "INVALID_CREDENTIALS")


def test_a_dry_run_shows_a_change_of_the_profile_and_makes_none(as_alice):
    before = as_alice("get", "/me").json()
    tried = as_alice("patch", "/me?dry_run=true", {"name": "Alice Liddell"})

    assert (tried.json()["name"], tried["Dry-Run"]) == ("Alice Liddell", "true")
    assert as_alice("get", "/me").json() == before
    assert as_alice("patch", "/me?dry_run=true", {"name": None}).status_code == 400


@pytest.mark.parametrize("path", ["/me/sessions", "/me/sessions/{session}", "/me/tokens/{token}"])
def test_a_dry_run_revokes_nothing(as_alice, path):
    session = as_alice("get", "/me/sessions").json()["results"][0]["id"]
    token = as_alice("post", "/me/tokens", {"name": "script", "scopes": ["account"]}).json()["id"]
    tried = as_alice("delete", f"{path.format(session=session, token=token)}?dry_run=true")

    assert (tried.status_code, tried["Dry-Run"]) == (200, "true")
    assert [each["id"] for each in as_alice("get", "/me/sessions").json()["results"]] == [session]
    assert [each["id"] for each in as_alice("get", "/me/tokens").json()["results"]] == [token]
