"""Sessions, tokens, identities and failed logins: staff find and end them, and never see a secret."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from accounts.models import FailedLogin, Identity, PersonalToken, Session, User
from tests.support.admin_client import (
    FAILURES,
    IDENTITIES,
    SESSIONS,
    TOKENS,
    USERS,
    messages_on,
    rows_of,
    run_action,
)
from tests.support.caller import Caller, sign_in

MODELS: dict[str, Any] = {
    SESSIONS: Session, TOKENS: PersonalToken, IDENTITIES: Identity, FAILURES: FailedLogin, USERS: User,
}  # fmt: skip


@pytest.mark.parametrize("path", [SESSIONS, TOKENS, IDENTITIES])
@pytest.mark.parametrize("query", ["q=alice@EXAMPLE.com", "q={alice}", "owner={alice}", "q={row}"])
def test_a_users_credentials_are_found(superuser, alice, credentials, path, query):
    [theirs] = [row for row in rows_of(superuser.get(path)) if row.user == alice]

    page = superuser.get(f"{path}?{query.format(alice=alice.pk, row=theirs.pk)}")

    assert rows_of(page) == [theirs]
    assert f'<a href="{USERS}{alice.pk}/change/">alice@example.com</a>'.encode() in page.content


@pytest.mark.parametrize("path", [SESSIONS, TOKENS])
def test_the_state_filter_separates_live_from_expired(superuser, alice, credentials, path):
    MODELS[path].objects.filter(user=alice).update(expires_at=timezone.now() - timedelta(minutes=1))

    assert [row.user == alice for row in rows_of(superuser.get(f"{path}?state=live"))] == [False]
    assert [row.user == alice for row in rows_of(superuser.get(f"{path}?state=expired"))] == [True]


@pytest.mark.parametrize(("query", "found"), [("q=ALICE@example.com", 1), ("q=198.51.100.7", 2), ("q=al", 0)])
def test_failed_logins_are_found_by_email_and_by_address(superuser, credentials, query, found):
    assert len(rows_of(superuser.get(f"{FAILURES}?{query}"))) == found


@pytest.mark.parametrize("path", MODELS)
@pytest.mark.parametrize("page", ["{path}", "{path}{pk}/change/", "{path}{pk}/history/", "{path}?q={pk}"])
def test_no_page_shows_a_secret_or_its_hash(superuser, alice, credentials, path, page):
    owner = {FAILURES: {"email": alice.email}, USERS: {"pk": alice.pk}}.get(path, {"user": alice})
    pk = MODELS[path].objects.get(**owner).pk
    alice.refresh_from_db()
    session, token = Session.objects.get(user=alice), PersonalToken.objects.get(user=alice)

    response = superuser.get(page.format(path=path, pk=pk))

    assert response.status_code == 200
    for secret in (alice.password, alice.password[-20:], session.refresh_hash, token.hash, "argon2id"):
        assert secret.encode() not in response.content


@pytest.mark.parametrize(
    "query",
    [
        f"{USERS}?password__startswith=argon2",
        f"{SESSIONS}?refresh_hash__startswith=a",
        f"{SESSIONS}?user__password__startswith=argon2",
        f"{TOKENS}?hash__startswith=a",
        f"{FAILURES}?email__contains=a",
    ],
)
def test_a_secret_cannot_be_guessed_through_filter_lookups(superuser, credentials, query):
    assert superuser.get(query).status_code == 400


@pytest.mark.parametrize("path", [SESSIONS, TOKENS, IDENTITIES, FAILURES])
def test_credentials_are_read_only(superuser, credentials, path):
    pk = rows_of(superuser.get(path))[0].pk

    assert superuser.get(f"{path}add/").status_code == 403
    assert superuser.post(f"{path}{pk}/change/", {"address": "x"}).status_code == 403
    assert superuser.post(f"{path}{pk}/delete/", {"post": "yes"}).status_code == 403


def test_ending_the_session_of_a_stolen_phone_leaves_the_others(superuser, alice, pair):
    stolen = sign_in(**{"User-Agent": "phone"}).json()

    page = run_action(superuser, SESSIONS, "end", [Session.objects.get(user_agent="phone")])

    assert messages_on(page) == ["1 session ended."]
    assert Caller(stolen["access"])("get", "/me").status_code == 401
    assert Caller(pair["access"])("get", "/me").status_code == 200


def test_ending_a_session_again_keeps_the_first_time(superuser, alice, pair):
    run_action(superuser, SESSIONS, "end", Session.objects.all())
    ended_at = Session.objects.get().ended_at

    page = run_action(superuser, SESSIONS, "end", Session.objects.all())

    assert messages_on(page) == ["Nothing was changed. The session is not live."]
    assert Session.objects.get().ended_at == ended_at
    assert LogEntry.objects.count() == 1


def test_a_revoked_token_is_no_longer_accepted(superuser, as_alice):
    secret = as_alice("post", "/me/tokens", {"name": "script", "scopes": ["account"]}).json()["token"]
    assert Caller(secret)("get", "/me").status_code == 200

    [token] = PersonalToken.objects.all()
    page = run_action(superuser, TOKENS, "revoke", [token])

    assert messages_on(page) == ["1 personal token revoked."]
    assert Caller(secret)("get", "/me").status_code == 401
    assert LogEntry.objects.get().object_repr == f"personal token {token.pk}"


@pytest.mark.parametrize(("path", "action"), [(IDENTITIES, "unlink"), (FAILURES, "forget")])
def test_identities_are_unlinked_and_failures_forgotten(superuser, alice, credentials, path, action):
    [row] = rows_of(superuser.get(f"{path}?q=alice@example.com"))

    run_action(superuser, path, action, [row])

    assert rows_of(superuser.get(f"{path}?q=alice@example.com")) == []
    assert len(rows_of(superuser.get(path))) == 1


@pytest.mark.parametrize("key", ["9" * 20, "x", "\0"])
@pytest.mark.parametrize(("path", "status"), [(FAILURES, 400), ("/admin/auth/group/", 200)])
def test_an_invalid_key_changes_nothing(superuser, credentials, path, status, key):
    response = superuser.post(path, {"action": "forget", "_selected_action": key})

    assert response.status_code == status
    assert FailedLogin.objects.exists()


def test_the_confirmation_names_the_owner_of_a_session(superuser, alice, pair):
    [session] = Session.objects.all()
    page = superuser.post(SESSIONS, {"action": "end", "_selected_action": session.pk}).content.decode()

    assert f"{session} · alice@example.com" in page
    assert "127.0.0.1" in str(session)


def test_the_history_has_no_personal_data_of_an_erased_user(superuser, alice, credentials):
    for path, action in ((SESSIONS, "end"), (TOKENS, "revoke"), (IDENTITIES, "unlink")):
        run_action(superuser, path, action, MODELS[path].objects.filter(user=alice))
    run_action(superuser, FAILURES, "forget", FailedLogin.objects.filter(email=alice.email))
    Session.objects.filter(user=alice).delete()
    assert LogEntry.objects.count() == 4
    superuser.post(f"{USERS}{alice.pk}/delete/", {"post": "yes"})

    words = {word for entry in LogEntry.objects.all() for word in entry.object_repr.split()}
    assert not words & {"alice", "alice@example.com", "127.0.0.1", "198.51.100.7"}
    kinds = [entry.object_repr.split()[0] for entry in LogEntry.objects.order_by("pk")]
    assert kinds == ["session", "personal", "identity", "failed", "(erased)"]
