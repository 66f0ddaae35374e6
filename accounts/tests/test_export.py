"""GET /me/export: everything a person owns, and nothing of anybody else's."""

import json

from tests.support.assertions import assert_error
from tests.support.caller import download_export, sign_in


def test_an_export_holds_what_is_yours(as_alice, alice):
    sign_in()
    as_alice("post", "/me/tokens", {"name": "script", "scopes": ["account"]})
    response, content = download_export(as_alice)

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
    _, content = download_export(as_alice)

    for secret in (pair["access"], pair["refresh"], token, "argon2", "hash"):
        assert secret.encode() not in content


def test_a_strangers_things_are_not_in_it(as_alice, bob):
    bob.sessions.create(expires_at="2999-01-01T00:00:00Z", user_agent="Phone of Bob")
    _, content = download_export(as_alice)

    assert b"Bob" not in content
    assert str(bob.pk).encode() not in content


def test_it_needs_credentials(anyone):
    assert_error(anyone("get", "/me/export"), 401, "NOT_AUTHENTICATED")


def test_what_fails_in_the_middle_is_an_error_and_not_half_a_file(as_alice, settings):
    settings.EXPORTED = [*settings.EXPORTED, f"{__name__}.broken"]

    assert_error(as_alice("get", "/me/export"), 500, "INTERNAL_ERROR")


def broken(user):
    yield "first", [{}]
    raise RuntimeError


def test_its_length_is_told(as_alice):
    response, content = download_export(as_alice)

    assert int(response["Content-Length"]) == len(content)


def test_a_large_one_is_the_same(as_alice, monkeypatch):
    monkeypatch.setattr("accounts.export.IN_MEMORY", 1)

    assert json.loads(download_export(as_alice)[1])["profile"]["email"] == "alice@example.com"
