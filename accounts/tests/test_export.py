"""GET /me/export: everything a person owns, and nothing of anybody else's."""

import json

from todo_project.tests.assertions import assert_error

from .conftest import sign_in


def export(caller):
    response = caller("get", "/me/export")
    return response, b"".join(response.streaming_content)


def test_an_export_holds_what_is_yours(as_alice, alice):
    sign_in()
    as_alice("post", "/me/tokens", {"name": "script", "scopes": ["account"]})
    response, content = export(as_alice)

    exported = json.loads(content)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"] == 'attachment; filename="export.json"'
    assert response["Cache-Control"] == "no-store"
    assert list(exported) == ["profile", "sessions", "tokens", "identities", "tasks"]
    assert exported["profile"] == {
        **as_alice("get", "/me").json(),
        "is_active": True,
        "last_login": None,
    }
    assert len(exported["sessions"]) == 2
    assert [token["name"] for token in exported["tokens"]] == ["script"]
    assert exported["identities"] == []


def test_an_export_tells_no_secret(as_alice, pair):
    token = as_alice("post", "/me/tokens", {"name": "script", "scopes": ["account"]}).json()["token"]
    _, content = export(as_alice)

    for secret in (pair["access"], pair["refresh"], token, "argon2", "hash"):
        assert secret.encode() not in content


def test_a_strangers_things_are_not_in_it(as_alice, bob):
    bob.sessions.create(expires_at="2999-01-01T00:00:00Z", user_agent="Phone of Bob")
    _, content = export(as_alice)

    assert b"Bob" not in content
    assert str(bob.pk).encode() not in content


def test_it_needs_credentials(anyone):
    assert_error(anyone("get", "/me/export"), 401, "NOT_AUTHENTICATED")
