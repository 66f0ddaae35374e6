"""GET /me/export: everything a user owns, and nothing of other users."""

import json

import pytest

from tests.support.assertions import assert_error
from tests.support.caller import Caller, download_export, sign_in
from tests.support.registries import use_entries
from todo_project.operations import exporting


def test_an_export_contains_all_of_the_users_data(as_alice, alice):
    sign_in()
    as_alice("post", "/me/tokens", {"name": "script", "scopes": ["account"]})
    response, content = download_export(as_alice)

    exported = json.loads(content)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"] == 'attachment; filename="export.json"'
    assert response["Cache-Control"] == "no-store"
    assert int(response["Content-Length"]) == len(content)
    assert list(exported) == ["profile", "sessions", "tokens", "identities", "projects", "labels", "tasks"]
    assert exported["profile"].pop("last_login") is not None
    assert exported["profile"] == {**as_alice("get", "/me").json(), "is_active": True}
    assert len(exported["sessions"]) == 2
    assert [token["name"] for token in exported["tokens"]] == ["script"]
    assert exported["identities"] == []


@pytest.mark.parametrize(
    ("scopes", "missing"), [(["account"], "tasks:read"), (["tasks:read", "tasks:write"], "account")]
)
def test_an_export_requires_the_scopes_of_all_that_it_contains(as_alice, scopes, missing):
    token = as_alice("post", "/me/tokens", {"name": "script", "scopes": scopes}).json()["token"]

    error = assert_error(Caller(token)("get", "/me/export"), 403, "INSUFFICIENT_SCOPE")
    assert error["details"] == {"scope": missing}


def test_an_export_contains_no_secret(as_alice, pair):
    token = as_alice("post", "/me/tokens", {"name": "script", "scopes": ["account"]}).json()["token"]
    _, content = download_export(as_alice)

    for secret in (pair["access"], pair["refresh"], token, "argon2", "hash"):
        assert secret.encode() not in content


def test_an_export_contains_no_data_of_another_user(as_alice, bob):
    bob.sessions.create(expires_at="2999-01-01T00:00:00Z", user_agent="Phone of Bob")
    _, content = download_export(as_alice)

    assert b"Bob" not in content
    assert str(bob.pk).encode() not in content


def test_a_failure_halfway_is_an_error_and_not_half_a_file(as_alice, monkeypatch):
    use_entries(monkeypatch, exporting.exporters, {**dict(exporting.exporters), "broken": broken})

    assert_error(as_alice("get", "/me/export"), 500, "INTERNAL_ERROR")


def broken(user):
    yield "first", [{}]
    raise RuntimeError


def test_an_export_that_goes_to_disk_is_complete(as_alice, monkeypatch):
    monkeypatch.setattr(exporting, "MAX_MEMORY", 1)

    assert json.loads(download_export(as_alice)[1])["profile"]["email"] == "alice@example.com"
