"""Staff find users and their credentials, end them, and never see a secret."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from accounts import erasure, tokens
from accounts.models import FailedLogin, Identity, PersonalToken, Session, User
from tasks.models import Task, Tombstone
from tests.support.admin_client import (
    FAILURES,
    IDENTITIES,
    SESSIONS,
    TOKENS,
    USERS,
    create_tasks,
    form_of,
    messages_on,
    run_action,
    staff_client,
)
from tests.support.caller import API, PASSWORD, Caller, sign_in
from tests.support.locks import lock_is_awaited
from tests.support.processes import becomes_true
from tests.support.threads import run_together
from todo_project.admin.search import MIN_WORD_LENGTH


@pytest.fixture
def superuser(db):
    return staff_client("superuser")


@pytest.fixture
def credentials(alice, bob, pair):
    """A session, a token, an identity and a failed login, each of Alice and of Bob."""
    now = timezone.now()
    for person in (alice, bob):
        name = person.name
        common = {"user": person, "expires_at": now + timedelta(days=1)}
        if person == bob:
            Session.objects.create(**common, user_agent="Bob's phone", address="198.51.100.7")
        PersonalToken.objects.create(
            **common, name=f"{name}'s script", hash=tokens.digest(name), scopes=["account"]
        )
        Identity.objects.create(user=person, issuer="https://issuer.example", subject=f"{name} there")
        FailedLogin.objects.create(email=person.email, address="198.51.100.7", at=now)


def rows(page):
    assert page.status_code == 200
    return list(page.context["cl"].result_list)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=alice@example.com", ["alice@example.com"]),
        ("q=ALI", ["alice@example.com"]),
        ("q=bob", ["bob@example.com"]),
        ("q={alice}", ["alice@example.com"]),
        ("q=ALICE+example", ["alice@example.com"]),
        ("q=alice+!!!", ["alice@example.com"]),
        ("q=alice+bob", []),
        ("status=staff", ["superuser@example.com"]),
        ("status=superusers", ["superuser@example.com"]),
        ("status=deactivated", ["bob@example.com"]),
    ],
)
def test_users_are_found(superuser, alice, bob, query, found):
    User.objects.filter(pk=bob.pk).update(is_active=False)

    assert [user.email for user in rows(superuser.get(f"{USERS}?{query.format(alice=alice.pk)}"))] == found


@pytest.mark.parametrize("path", [SESSIONS, TOKENS, IDENTITIES])
@pytest.mark.parametrize("query", ["q=alice@EXAMPLE.com", "q={alice}", "owner={alice}", "q={row}"])
def test_a_users_credentials_are_found(superuser, alice, credentials, path, query):
    [theirs] = [row for row in rows(superuser.get(path)) if row.user == alice]

    page = superuser.get(f"{path}?{query.format(alice=alice.pk, row=theirs.pk)}")

    assert rows(page) == [theirs]
    assert f'<a href="{USERS}{alice.pk}/change/">alice@example.com</a>'.encode() in page.content


@pytest.mark.parametrize("path", [SESSIONS, TOKENS])
def test_the_state_filter_separates_live_from_expired(superuser, alice, credentials, path):
    model = Session if path == SESSIONS else PersonalToken
    model.objects.filter(user=alice).update(expires_at=timezone.now() - timedelta(minutes=1))

    assert [row.user == alice for row in rows(superuser.get(f"{path}?state=live"))] == [False]
    assert [row.user == alice for row in rows(superuser.get(f"{path}?state=expired"))] == [True]


@pytest.mark.parametrize(("query", "found"), [("q=ALICE@example.com", 1), ("q=198.51.100.7", 2), ("q=al", 0)])
def test_failed_logins_are_found_by_email_and_by_address(superuser, credentials, query, found):
    assert len(rows(superuser.get(f"{FAILURES}?{query}"))) == found


@pytest.mark.parametrize("path", [SESSIONS, TOKENS, IDENTITIES, FAILURES, USERS])
@pytest.mark.parametrize("page", ["{path}", "{path}{pk}/change/", "{path}{pk}/history/", "{path}?q={pk}"])
def test_no_page_shows_a_secret_or_its_hash(superuser, alice, credentials, path, page):
    model: Any = {SESSIONS: Session, TOKENS: PersonalToken, IDENTITIES: Identity, FAILURES: FailedLogin}.get(
        path, User
    )
    owner = {FailedLogin: {"email": alice.email}, User: {"pk": alice.pk}}.get(model, {"user": alice})
    pk = model.objects.get(**owner).pk
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
    pk = rows(superuser.get(path))[0].pk

    assert superuser.get(f"{path}add/").status_code == 403
    assert superuser.post(f"{path}{pk}/change/", {"address": "x"}).status_code == 403
    assert superuser.post(f"{path}{pk}/delete/", {"post": "yes"}).status_code == 403


def test_ending_a_users_sessions_signs_them_out_of_all_apps(superuser, alice, bob, credentials, pair):
    page = run_action(superuser, USERS, "end_sessions", [alice])

    assert messages_on(page) == ["1 user signed out of all apps."]
    assert Caller(pair["access"])("get", "/me").status_code == 401
    assert Session.objects.live(at=timezone.now()).get().user == bob
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.change_message) == (str(alice.pk), "Signed out of all apps.")


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

    assert messages_on(page) == ["0 sessions ended. 1 was left unchanged."]
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


def test_a_deactivated_user_is_signed_out_immediately(superuser, alice, bob, pair):
    page = run_action(superuser, USERS, "deactivate", [alice])

    assert messages_on(page) == ["1 user deactivated."]
    assert Caller(pair["access"])("get", "/me").status_code == 401
    assert sign_in().status_code == 401
    assert User.objects.get(pk=bob.pk).is_active


def test_users_cannot_deactivate_themselves(superuser, alice):
    page = run_action(superuser, USERS, "deactivate", User.objects.all())

    assert messages_on(page) == ["1 user deactivated. 1 was left unchanged."]
    assert superuser.get(USERS).status_code == 200


@pytest.mark.parametrize(("path", "action"), [(IDENTITIES, "unlink"), (FAILURES, "forget")])
def test_identities_are_unlinked_and_failures_forgotten(superuser, alice, credentials, path, action):
    [row] = rows(superuser.get(f"{path}?q=alice@example.com"))

    run_action(superuser, path, action, [row])

    assert rows(superuser.get(f"{path}?q=alice@example.com")) == []
    assert len(rows(superuser.get(path))) == 1


def test_a_password_that_staff_set_ends_every_session(superuser, alice, pair):
    new = "another long password"
    superuser.post(
        f"{USERS}{alice.pk}/password/", {"usable_password": "true", "password1": new, "password2": new}
    )

    assert Caller(pair["access"])("get", "/me").status_code == 401
    assert sign_in(password=PASSWORD).status_code == 401
    assert sign_in(password=new).status_code == 200
    assert new not in "".join(LogEntry.objects.values_list("change_message", flat=True))


def test_a_user_is_changed_on_their_page(superuser, alice):
    page = superuser.get(f"{USERS}{alice.pk}/change/")
    response = superuser.post(
        f"{USERS}{alice.pk}/change/", {**form_of(page), "email": "Alice@New.example", "name": "Alice B."}
    )

    assert response.status_code == 302
    alice.refresh_from_db()
    assert (alice.email, alice.name, alice.is_active) == ("alice@new.example", "Alice B.", True)
    assert alice.check_password(PASSWORD)


def test_saving_keeps_changes_made_since_the_page_was_opened(superuser, alice, bob):
    page = f"{USERS}{alice.pk}/change/"
    opened = form_of(superuser.get(page))
    run_action(superuser, USERS, "deactivate", [alice])
    role = Group.objects.create(name="role")
    alice.groups.add(role)
    alice.refresh_from_db()
    alice.email = "moved@example.com"
    alice.save()

    assert superuser.post(page, {**opened, "name": "Alicia"}).status_code == 302
    alice.refresh_from_db()
    assert (alice.name, alice.email, alice.is_active) == ("Alicia", "moved@example.com", False)
    assert [*alice.groups.all()] == [role]

    opened = form_of(superuser.get(page))
    superuser.post(page, {**opened, "is_active": "on", "groups": [], "initial-groups": [role.pk]})
    alice.refresh_from_db()
    assert alice.is_active
    assert not alice.groups.exists()


def test_a_form_with_an_error_keeps_its_choices(superuser, alice):
    page, role = f"{USERS}{alice.pk}/change/", Group.objects.create(name="role")
    form = {**form_of(superuser.get(page)), "groups": [role.pk], "is_active": ""}
    refused = superuser.post(page, {**form, "email": "bob"})
    again = form_of(refused)
    assert refused.status_code == 200

    hidden = {name: value for name, value in again.items() if name.startswith("initial-")}
    assert superuser.post(page, {**form, **hidden}).status_code == 302
    alice.refresh_from_db()
    assert [*alice.groups.all()] == [role]
    assert not alice.is_active


def test_unchanged_fields_are_neither_saved_nor_validated(superuser, alice, bob):
    User.objects.filter(pk=alice.pk).update(name=" of two\nlines ")
    page = f"{USERS}{alice.pk}/change/"
    opened = form_of(superuser.get(page))
    User.objects.filter(pk=alice.pk).update(email="moved@example.com")
    User.objects.filter(pk=bob.pk).update(email="alice@example.com")

    saved = superuser.post(page, {**opened, "name": "of twolines", "is_active": ""}, follow=True)
    alice.refresh_from_db()
    assert (alice.name, alice.email, alice.is_active) == (" of two\nlines ", "moved@example.com", False)
    assert "moved@example.com" in messages_on(saved)[0]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("meanwhile", ["change_password", "erase"])
def test_saving_waits_for_a_concurrent_change_and_keeps_it(alice, meanwhile):
    superuser = staff_client("superuser")
    page = f"{USERS}{alice.pk}/change/"
    form = {**form_of(superuser.get(page)), "name": "Alicia"}
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            if meanwhile == "erase":
                erasure.erase(alice)
            else:
                alice.change_password("another long password", at=timezone.now())
            saving = pool.submit(run_together, 1, lambda: superuser.post(page, form).status_code)
            assert becomes_true(lock_is_awaited)
        assert saving.result() == [302]

    left = User.objects.filter(is_superuser=False)
    remaining = [(user.name, user.check_password("another long password")) for user in left]
    assert remaining == ([] if meanwhile == "erase" else [("Alicia", True)])


def test_the_delete_page_counts_what_is_deleted_with_a_user(superuser, alice, bob, credentials):
    create_tasks(alice, "milk", "bread")
    create_tasks(bob, "beer")

    page = superuser.get(f"{USERS}{alice.pk}/delete/").content.decode()
    response = superuser.post(f"{USERS}{alice.pk}/delete/", {"post": "yes"})

    assert "Tasks: 2" in page
    assert "Sessions: 1" in page
    assert "milk" not in page
    assert response.status_code == 302
    assert not User.objects.filter(pk=alice.pk).exists()
    assert Task.objects.get().title == "beer"
    assert not Tombstone.objects.exists()
    assert LogEntry.objects.get().is_deletion()


def test_a_crash_in_the_admin_reveals_nothing(superuser, alice, monkeypatch, caplog):
    def crash(*args):
        raise RuntimeError(f"secret detail {alice.password}")

    monkeypatch.setattr("accounts.admin.users.UserAdmin.sign_in_method", crash)
    response = superuser.get(f"{USERS}{alice.pk}/change/")

    assert response.status_code == 500
    assert b"secret detail" not in response.content


def test_the_api_does_not_accept_the_admins_session_cookie(superuser):
    assert superuser.get(f"{API}/me").status_code == 401


def test_deleting_a_staff_member_keeps_their_history_entries(superuser, alice):
    colleague = User.objects.create_superuser("carol@example.com", PASSWORD)
    LogEntry.objects.log_actions(
        colleague.pk, User.objects.filter(pk=alice.pk), action_flag=2, change_message="Renamed."
    )
    FailedLogin.objects.create(email="carol@example.com", address="198.51.100.7", at=timezone.now())
    superuser.post(f"{USERS}{colleague.pk}/delete/", {"post": "yes"})

    kept = LogEntry.objects.get(change_message="Renamed.")
    assert kept.user.name == "Former staff"
    assert not User.objects.filter(email="carol@example.com").exists()
    assert not FailedLogin.objects.exists()


@pytest.mark.parametrize("lookup", ["year=99999", "regex=(", "contains=2", "hour=1"])
def test_lookups_that_no_filter_offers_are_rejected(superuser, lookup):
    response = superuser.get(f"{USERS}?created_at__{lookup}")

    assert response.status_code in {302, 400}


def test_the_dashboard_is_on_the_index_page_only(superuser):
    assert "Failed sign-ins" in superuser.get("/admin/").content.decode()
    assert "Failed sign-ins" not in superuser.get("/admin/accounts/").content.decode()


def test_changing_ones_own_password_ends_ones_sessions(superuser):
    person = User.objects.get(is_superuser=True)
    person.set_password(PASSWORD)
    person.save()
    superuser.force_login(person)
    session = Session.objects.create(user=person, expires_at=timezone.now() + timedelta(days=1))
    new = "another horse, another battery"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}

    assert superuser.post("/admin/password_change/", {**form, "old_password": "wrong"}).status_code == 200
    assert Session.objects.live(at=timezone.now()).count() == 1

    assert superuser.post("/admin/password_change/", form).status_code == 302
    session.refresh_from_db()
    person.refresh_from_db()
    assert session.ended_at is not None
    assert person.check_password(new)
    assert LogEntry.objects.get().get_change_message() == "Changed password."
    assert superuser.get("/admin/").status_code == 200


def test_guesses_of_ones_own_old_password_are_limited(superuser):
    person = User.objects.get()
    person.set_password(PASSWORD)
    person.save()
    superuser.force_login(person)
    new = "another horse, another battery"
    form = {"old_password": "wrong", "new_password1": new, "new_password2": new}
    pages = [superuser.post("/admin/password_change/", form).content.decode() for _ in range(6)]

    assert ["entered incorrectly" in page for page in pages] == [True] * 5 + [False]
    assert "Too many failed sign-ins. Try again in 15 minutes." in pages[5]
    superuser.post("/admin/password_change/", {**form, "old_password": PASSWORD})
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


@pytest.mark.parametrize("words", ["!!!", "C+++", "\U0001f600\U0001f600\U0001f600"])
def test_words_that_no_index_holds_are_not_searched_for(superuser, words):
    create_tasks(User.objects.create_user(None, name=f"{words} there"), f"{words} there")

    assert "0 tasks" in superuser.get("/admin/tasks/task/", {"q": words}).content.decode()
    assert "0 users" in superuser.get(USERS, {"q": words}).content.decode()


@pytest.mark.parametrize("query", ["gte=0001-01-01T00:00%2B23:59", "lt=9999-12-31T23:59-23:59"])
def test_a_time_out_of_range_is_no_server_error(superuser, query):
    # PostgreSQL holds more of them than SQLite.
    assert superuser.get(f"{USERS}?created_at__{query}").status_code in {200, 400}


@pytest.mark.parametrize("key", ["x", "1", "9" * 20])
def test_there_is_no_view_on_site_redirect(superuser, key):
    assert superuser.get(f"/admin/r/1/{key}/").status_code == 404


@pytest.mark.parametrize("key", ["9" * 20, "x", "\0"])
@pytest.mark.parametrize(("path", "status"), [(FAILURES, 400), ("/admin/auth/group/", 200)])
def test_an_invalid_key_changes_nothing(superuser, credentials, path, status, key):
    response = superuser.post(path, {"action": "forget", "_selected_action": key})

    assert response.status_code == status
    assert FailedLogin.objects.exists()


def test_users_cannot_lock_themselves_out(superuser):
    person = User.objects.get()
    page = f"{USERS}{person.pk}/change/"
    form = form_of(superuser.get(page))
    assert not {"is_active", "is_staff", "is_superuser"} & form.keys()

    assert (
        superuser.post(page, {**form, "name": "Root", "is_superuser": "", "is_staff": ""}).status_code == 302
    )
    assert superuser.post(f"{USERS}{person.pk}/delete/", {"post": "yes"}).status_code == 403
    assert superuser.post(page, {**form, "email": ""}).status_code == 200
    unset = {"usable_password": "false", "unset-password": "x"}
    assert superuser.post(f"{USERS}{person.pk}/password/", unset)["Location"] == "/admin/password_change/"
    person.refresh_from_db()
    assert person.email == "superuser@example.com"
    assert (person.name, person.is_active, person.is_staff, person.is_superuser) == ("Root", True, True, True)


def test_the_confirmation_names_the_owner_of_a_session(superuser, alice, pair):
    [session] = Session.objects.all()
    page = superuser.post(SESSIONS, {"action": "end", "_selected_action": session.pk}).content.decode()

    assert f"{session} · alice@example.com" in page
    assert "127.0.0.1" in str(session)


@pytest.mark.parametrize(
    "form",
    [{}, {"username": "root@example.com"}, {"password": "x"}, {"username": "\0", "password": "\0"}],
)
def test_an_incomplete_login_shows_errors(client, db, form):
    page = client.post("/admin/login/", form)

    assert page.status_code == 200
    assert page.context["form"].errors
    assert not FailedLogin.objects.exists()


def test_the_history_has_no_personal_data_of_an_erased_user(superuser, alice, credentials):
    for path, action, model in (
        (SESSIONS, "end", Session),
        (TOKENS, "revoke", PersonalToken),
        (IDENTITIES, "unlink", Identity),
    ):
        run_action(superuser, path, action, model.objects.filter(user=alice))
    run_action(superuser, FAILURES, "forget", FailedLogin.objects.filter(email=alice.email))
    Session.objects.filter(user=alice).delete()
    assert LogEntry.objects.count() == 4
    superuser.post(f"{USERS}{alice.pk}/delete/", {"post": "yes"})

    words = {word for entry in LogEntry.objects.all() for word in entry.object_repr.split()}
    assert not words & {"alice", "alice@example.com", "127.0.0.1", "198.51.100.7"}
    kinds = [entry.object_repr.split()[0] for entry in LogEntry.objects.order_by("pk")]
    assert kinds == ["session", "personal", "identity", "failed", "(erased)"]


def test_the_delete_page_lists_only_what_is_deleted(superuser, alice, credentials):
    LogEntry.objects.log_actions(alice.pk, User.objects.filter(pk=alice.pk), action_flag=2)
    page = superuser.get(f"{USERS}{alice.pk}/delete/").content.decode()

    for kind in ("Sessions: 1", "Personal tokens: 1", "Identities: 1", "Failed logins: 1"):
        assert kind.lower() in page.lower()
    assert "log entries" not in page.lower()


@pytest.mark.parametrize("page", [f"{USERS}{{alice}}/change/", f"{USERS}{{alice}}/delete/"])
@pytest.mark.parametrize("column", ["", "nothing", "password"])
def test_pages_are_addressed_by_primary_key_only(superuser, alice, page, column):
    assert superuser.get(f"{page.format(alice=alice.pk)}?_to_field={column}").status_code == 400


def test_a_search_for_too_few_letters_shows_a_message(superuser, alice):
    page = superuser.get(f"{USERS}?q=al")

    assert rows(page) == []
    assert messages_on(page) == [f"Enter a word of at least {MIN_WORD_LENGTH} letters or digits."]


def test_an_autocomplete_field_leaves_no_messages(superuser, alice):
    choices = "/admin/autocomplete/?app_label=tasks&model_name=task&field_name=owner"
    assert superuser.get(f"{choices}&term=al").json()["results"] == []
    assert [row["text"] for row in superuser.get(f"{choices}&term=ali").json()["results"]] == [
        "alice@example.com"
    ]

    assert messages_on(superuser.get("/admin/")) == []


def test_save_as_new_is_rejected(superuser, alice):
    page = f"{USERS}{alice.pk}/change/"
    form = form_of(superuser.get(page))

    assert superuser.post(page, {**form, "email": "copy@example.com", "_saveasnew": "1"}).status_code == 400
    assert User.objects.count() == 2
