"""Staff find a person, and what proves who they are; they end it, and never see a secret."""

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
from tests.support.admin_client import PEOPLE, act, form_of, some_tasks, staff, told
from tests.support.caller import API, PASSWORD, Caller, sign_in
from tests.support.locks import lock_is_awaited
from tests.support.processes import becomes_true
from tests.support.threads import run_together
from todo_project.admin.search import SHORTEST

SESSIONS, TOKENS = "/admin/accounts/session/", "/admin/accounts/personaltoken/"
IDENTITIES, FAILURES = "/admin/accounts/identity/", "/admin/accounts/failedlogin/"


@pytest.fixture
def root(db):
    return staff("superuser")


@pytest.fixture
def things(alice, bob, pair):
    """One of each of Alice's, and as many of Bob's."""
    now = timezone.now()
    for person in (alice, bob):
        name = person.name
        yield_to = {"user": person, "expires_at": now + timedelta(days=1)}
        if person == bob:
            Session.objects.create(**yield_to, user_agent="Bob's phone", address="198.51.100.7")
        PersonalToken.objects.create(
            **yield_to, name=f"{name}'s script", hash=tokens.digest(name), scopes=["account"]
        )
        Identity.objects.create(user=person, issuer="https://issuer.example", subject=f"{name} there")
        FailedLogin.objects.create(email=person.email, address="198.51.100.7", at=now)


def rows(page):
    assert page.status_code == 200
    return list(page.context["cl"].result_list)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("q=alice@example.com", ["alice@example.com"]),
        ("q=ALI", ["alice@example.com"]),
        ("q=bob", ["bob@example.com"]),
        ("q={alice}", ["alice@example.com"]),
        ("q=ALICE+example", ["alice@example.com"]),
        ("q=alice+!!!", ["alice@example.com"]),
        ("q=alice+bob", []),
        ("standing=staff", ["superuser@example.com"]),
        ("standing=superusers", ["superuser@example.com"]),
        ("standing=deactivated", ["bob@example.com"]),
    ],
)
def test_a_person_is_found(root, alice, bob, asked, found):
    User.objects.filter(pk=bob.pk).update(is_active=False)

    assert [user.email for user in rows(root.get(f"{PEOPLE}?{asked.format(alice=alice.pk)}"))] == found


@pytest.mark.parametrize("path", [SESSIONS, TOKENS, IDENTITIES])
@pytest.mark.parametrize("asked", ["q=alice@EXAMPLE.com", "q={alice}", "owner={alice}", "q={row}"])
def test_what_is_somebodys_is_found(root, alice, things, path, asked):
    [theirs] = [row for row in rows(root.get(path)) if row.user == alice]

    page = root.get(f"{path}?{asked.format(alice=alice.pk, row=theirs.pk)}")

    assert rows(page) == [theirs]
    assert f'<a href="{PEOPLE}{alice.pk}/change/">alice@example.com</a>'.encode() in page.content


@pytest.mark.parametrize("path", [SESSIONS, TOKENS])
def test_the_live_and_the_expired_are_told_apart(root, alice, things, path):
    model = Session if path == SESSIONS else PersonalToken
    model.objects.filter(user=alice).update(expires_at=timezone.now() - timedelta(minutes=1))

    assert [row.user == alice for row in rows(root.get(f"{path}?state=live"))] == [False]
    assert [row.user == alice for row in rows(root.get(f"{path}?state=expired"))] == [True]


@pytest.mark.parametrize(("asked", "found"), [("q=ALICE@example.com", 1), ("q=198.51.100.7", 2), ("q=al", 0)])
def test_failed_sign_ins_are_found_by_account_and_address(root, things, asked, found):
    assert len(rows(root.get(f"{FAILURES}?{asked}"))) == found


@pytest.mark.parametrize("path", [SESSIONS, TOKENS, IDENTITIES, FAILURES, PEOPLE])
@pytest.mark.parametrize("page", ["{path}", "{path}{pk}/change/", "{path}{pk}/history/", "{path}?q={pk}"])
def test_no_page_shows_a_secret_or_its_hash(root, alice, things, path, page):
    model: Any = {SESSIONS: Session, TOKENS: PersonalToken, IDENTITIES: Identity, FAILURES: FailedLogin}.get(
        path, User
    )
    owner = {FailedLogin: {"email": alice.email}, User: {"pk": alice.pk}}.get(model, {"user": alice})
    pk = model.objects.get(**owner).pk
    alice.refresh_from_db()
    session, token = Session.objects.get(user=alice), PersonalToken.objects.get(user=alice)

    response = root.get(page.format(path=path, pk=pk))

    assert response.status_code == 200
    for secret in (alice.password, alice.password[-20:], session.refresh_hash, token.hash, "argon2id"):
        assert secret.encode() not in response.content


@pytest.mark.parametrize(
    "asked",
    [
        f"{PEOPLE}?password__startswith=argon2",
        f"{SESSIONS}?refresh_hash__startswith=a",
        f"{SESSIONS}?user__password__startswith=argon2",
        f"{TOKENS}?hash__startswith=a",
        f"{FAILURES}?email__contains=a",
    ],
)
def test_a_secret_is_not_guessed_letter_by_letter(root, things, asked):
    assert root.get(asked).status_code == 400


@pytest.mark.parametrize("path", [SESSIONS, TOKENS, IDENTITIES, FAILURES])
def test_nobody_writes_what_proves_who_somebody_is(root, things, path):
    pk = rows(root.get(path))[0].pk

    assert root.get(f"{path}add/").status_code == 403
    assert root.post(f"{path}{pk}/change/", {"address": "x"}).status_code == 403
    assert root.post(f"{path}{pk}/delete/", {"post": "yes"}).status_code == 403


def test_ending_a_persons_sessions_signs_them_out_of_all_apps(root, alice, bob, things, pair):
    page = act(root, PEOPLE, "end_sessions", [alice])

    assert told(page) == ["1 user signed out of all apps."]
    assert Caller(pair["access"])("get", "/me").status_code == 401
    assert Session.objects.live(at=timezone.now()).get().user == bob
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.change_message) == (str(alice.pk), "Signed out of all apps.")


def test_ending_the_session_of_a_stolen_phone_leaves_the_others(root, alice, pair):
    stolen = sign_in(**{"User-Agent": "phone"}).json()

    page = act(root, SESSIONS, "end", [Session.objects.get(user_agent="phone")])

    assert told(page) == ["1 session ended."]
    assert Caller(stolen["access"])("get", "/me").status_code == 401
    assert Caller(pair["access"])("get", "/me").status_code == 200


def test_ending_a_session_again_keeps_the_first_time(root, alice, pair):
    act(root, SESSIONS, "end", Session.objects.all())
    ended_at = Session.objects.get().ended_at

    page = act(root, SESSIONS, "end", Session.objects.all())

    assert told(page) == ["0 sessions ended. 1 was left as before."]
    assert Session.objects.get().ended_at == ended_at
    assert LogEntry.objects.count() == 1


def test_a_revoked_token_is_no_longer_taken(root, as_alice):
    secret = as_alice("post", "/me/tokens", {"name": "script", "scopes": ["account"]}).json()["token"]
    assert Caller(secret)("get", "/me").status_code == 200

    [token] = PersonalToken.objects.all()
    page = act(root, TOKENS, "revoke", [token])

    assert told(page) == ["1 personal token revoked."]
    assert Caller(secret)("get", "/me").status_code == 401
    assert LogEntry.objects.get().object_repr == f"personal token {token.pk}"


def test_a_deactivated_person_is_out_at_once(root, alice, bob, pair):
    page = act(root, PEOPLE, "deactivate", [alice])

    assert told(page) == ["1 user deactivated."]
    assert Caller(pair["access"])("get", "/me").status_code == 401
    assert sign_in().status_code == 401
    assert User.objects.get(pk=bob.pk).is_active


def test_nobody_deactivates_themselves(root, alice):
    page = act(root, PEOPLE, "deactivate", User.objects.all())

    assert told(page) == ["1 user deactivated. 1 was left as before."]
    assert root.get(PEOPLE).status_code == 200


@pytest.mark.parametrize(("path", "action"), [(IDENTITIES, "unlink"), (FAILURES, "forget")])
def test_identities_are_unlinked_and_failures_forgotten(root, alice, things, path, action):
    [row] = rows(root.get(f"{path}?q=alice@example.com"))

    act(root, path, action, [row])

    assert rows(root.get(f"{path}?q=alice@example.com")) == []
    assert len(rows(root.get(path))) == 1


def test_a_password_that_staff_set_ends_every_session(root, alice, pair):
    new = "another long password"
    root.post(
        f"{PEOPLE}{alice.pk}/password/", {"usable_password": "true", "password1": new, "password2": new}
    )

    assert Caller(pair["access"])("get", "/me").status_code == 401
    assert sign_in(password=PASSWORD).status_code == 401
    assert sign_in(password=new).status_code == 200
    assert new not in "".join(LogEntry.objects.values_list("change_message", flat=True))


def test_a_person_is_changed_on_their_page(root, alice):
    page = root.get(f"{PEOPLE}{alice.pk}/change/")
    response = root.post(
        f"{PEOPLE}{alice.pk}/change/", {**form_of(page), "email": "Alice@New.example", "name": "Alice B."}
    )

    assert response.status_code == 302
    alice.refresh_from_db()
    assert (alice.email, alice.name, alice.is_active) == ("alice@new.example", "Alice B.", True)
    assert alice.check_password(PASSWORD)


def test_what_a_colleague_has_changed_since_the_page_was_opened_stays(root, alice, bob):
    page = f"{PEOPLE}{alice.pk}/change/"
    opened = form_of(root.get(page))
    act(root, PEOPLE, "deactivate", [alice])
    role = Group.objects.create(name="role")
    alice.groups.add(role)
    alice.refresh_from_db()
    alice.email = "moved@example.com"
    alice.save()

    assert root.post(page, {**opened, "name": "Alicia"}).status_code == 302
    alice.refresh_from_db()
    assert (alice.name, alice.email, alice.is_active) == ("Alicia", "moved@example.com", False)
    assert [*alice.groups.all()] == [role]

    opened = form_of(root.get(page))
    root.post(page, {**opened, "is_active": "on", "groups": [], "initial-groups": [role.pk]})
    alice.refresh_from_db()
    assert alice.is_active
    assert not alice.groups.exists()


def test_what_was_chosen_is_kept_through_an_error(root, alice):
    page, role = f"{PEOPLE}{alice.pk}/change/", Group.objects.create(name="role")
    form = {**form_of(root.get(page)), "groups": [role.pk], "is_active": ""}
    refused = root.post(page, {**form, "email": "bob"})
    again = form_of(refused)
    assert refused.status_code == 200

    hidden = {name: value for name, value in again.items() if name.startswith("initial-")}
    assert root.post(page, {**form, **hidden}).status_code == 302
    alice.refresh_from_db()
    assert [*alice.groups.all()] == [role]
    assert not alice.is_active


def test_what_nobody_changed_is_neither_written_nor_checked(root, alice, bob):
    User.objects.filter(pk=alice.pk).update(name=" of two\nlines ")
    page = f"{PEOPLE}{alice.pk}/change/"
    opened = form_of(root.get(page))
    User.objects.filter(pk=alice.pk).update(email="moved@example.com")
    User.objects.filter(pk=bob.pk).update(email="alice@example.com")

    saved = root.post(page, {**opened, "name": "of twolines", "is_active": ""}, follow=True)
    alice.refresh_from_db()
    assert (alice.name, alice.email, alice.is_active) == (" of two\nlines ", "moved@example.com", False)
    assert "moved@example.com" in told(saved)[0]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("meanwhile", ["change_password", "erase"])
def test_what_happens_to_a_person_while_they_are_saved_stays(alice, meanwhile):
    root = staff("superuser")
    page = f"{PEOPLE}{alice.pk}/change/"
    form = {**form_of(root.get(page)), "name": "Alicia"}
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            if meanwhile == "erase":
                erasure.erase(alice)
            else:
                alice.change_password("another long password", at=timezone.now())
            saving = pool.submit(run_together, 1, lambda: root.post(page, form).status_code)
            assert becomes_true(lock_is_awaited)
        assert saving.result() == [302]

    left = User.objects.filter(is_superuser=False)
    told = [(user.name, user.check_password("another long password")) for user in left]
    assert told == ([] if meanwhile == "erase" else [("Alicia", True)])


def test_deleting_a_person_tells_how_much_goes_with_them(root, alice, bob, things):
    some_tasks(alice, "milk", "bread")
    some_tasks(bob, "beer")

    page = root.get(f"{PEOPLE}{alice.pk}/delete/").content.decode()
    response = root.post(f"{PEOPLE}{alice.pk}/delete/", {"post": "yes"})

    assert "Tasks: 2" in page
    assert "Sessions: 1" in page
    assert "milk" not in page
    assert response.status_code == 302
    assert not User.objects.filter(pk=alice.pk).exists()
    assert Task.objects.get().title == "beer"
    assert not Tombstone.objects.exists()
    assert LogEntry.objects.get().is_deletion()


def test_a_crash_in_the_admin_tells_nothing(root, alice, monkeypatch, caplog):
    def crash(*args):
        raise RuntimeError(f"secret detail {alice.password}")

    monkeypatch.setattr("accounts.admin.UserAdmin.signs_in_with", crash)
    response = root.get(f"{PEOPLE}{alice.pk}/change/")

    assert response.status_code == 500
    assert b"secret detail" not in response.content


def test_the_api_is_not_opened_by_the_admins_cookie(root):
    assert root.get(f"{API}/me").status_code == 401


def test_deleting_a_colleague_keeps_what_they_did_on_record(root, alice):
    colleague = User.objects.create_superuser("carol@example.com", PASSWORD)
    LogEntry.objects.log_actions(
        colleague.pk, User.objects.filter(pk=alice.pk), action_flag=2, change_message="Renamed."
    )
    FailedLogin.objects.create(email="carol@example.com", address="198.51.100.7", at=timezone.now())
    root.post(f"{PEOPLE}{colleague.pk}/delete/", {"post": "yes"})

    kept = LogEntry.objects.get(change_message="Renamed.")
    assert kept.user.name == "Former staff"
    assert not User.objects.filter(email="carol@example.com").exists()
    assert not FailedLogin.objects.exists()


@pytest.mark.parametrize("lookup", ["year=99999", "regex=(", "contains=2", "hour=1"])
def test_only_what_a_filter_asks_may_be_asked(root, lookup):
    response = root.get(f"{PEOPLE}?created_at__{lookup}")

    assert response.status_code in {302, 400}


def test_the_figures_stand_on_the_first_page_only(root):
    assert "Failed sign-ins" in root.get("/admin/").content.decode()
    assert "Failed sign-ins" not in root.get("/admin/accounts/").content.decode()


def test_who_changes_their_own_password_in_the_admin_ends_their_sessions(root):
    person = User.objects.get(is_superuser=True)
    person.set_password(PASSWORD)
    person.save()
    root.force_login(person)
    session = Session.objects.create(user=person, expires_at=timezone.now() + timedelta(days=1))
    new = "another horse, another battery"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}

    assert root.post("/admin/password_change/", {**form, "old_password": "wrong"}).status_code == 200
    assert Session.objects.live(at=timezone.now()).count() == 1

    assert root.post("/admin/password_change/", form).status_code == 302
    session.refresh_from_db()
    person.refresh_from_db()
    assert session.ended_at is not None
    assert person.check_password(new)
    assert LogEntry.objects.get().get_change_message() == "Changed password."
    assert root.get("/admin/").status_code == 200


def test_ones_own_old_password_cannot_be_guessed_without_end(root):
    person = User.objects.get()
    person.set_password(PASSWORD)
    person.save()
    root.force_login(person)
    new = "another horse, another battery"
    form = {"old_password": "wrong", "new_password1": new, "new_password2": new}
    pages = [root.post("/admin/password_change/", form).content.decode() for _ in range(6)]

    assert ["entered incorrectly" in page for page in pages] == [True] * 5 + [False]
    assert "Too many failed sign-ins. Try again in 15 minutes." in pages[5]
    root.post("/admin/password_change/", {**form, "old_password": PASSWORD})
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


@pytest.mark.parametrize("words", ["!!!", "C+++", "\U0001f600\U0001f600\U0001f600"])
def test_what_no_index_knows_is_not_searched_for(root, words):
    some_tasks(User.objects.create_user(None, name=f"{words} there"), f"{words} there")

    assert "0 tasks" in root.get("/admin/tasks/task/", {"q": words}).content.decode()
    assert "0 users" in root.get(PEOPLE, {"q": words}).content.decode()


@pytest.mark.parametrize("asked", ["gte=0001-01-01T00:00%2B23:59", "lt=9999-12-31T23:59-23:59"])
def test_a_time_beyond_all_times_is_no_crash(root, asked):
    # PostgreSQL holds more of them than SQLite.
    assert root.get(f"{PEOPLE}?created_at__{asked}").status_code in {200, 400}


@pytest.mark.parametrize("key", ["x", "1", "9" * 20])
def test_there_is_no_way_to_things_that_have_no_page_of_their_own(root, key):
    assert root.get(f"/admin/r/1/{key}/").status_code == 404


@pytest.mark.parametrize("key", ["9" * 20, "x", "\0"])
@pytest.mark.parametrize(("path", "status"), [(FAILURES, 400), ("/admin/auth/group/", 200)])
def test_a_key_that_no_row_can_have_changes_nothing(root, things, path, status, key):
    response = root.post(path, {"action": "forget", "_selected_action": key})

    assert response.status_code == status
    assert FailedLogin.objects.exists()


def test_nobody_puts_themselves_out(root):
    person = User.objects.get()
    page = f"{PEOPLE}{person.pk}/change/"
    form = form_of(root.get(page))
    assert not {"is_active", "is_staff", "is_superuser"} & form.keys()

    assert root.post(page, {**form, "name": "Root", "is_superuser": "", "is_staff": ""}).status_code == 302
    assert root.post(f"{PEOPLE}{person.pk}/delete/", {"post": "yes"}).status_code == 403
    assert root.post(page, {**form, "email": ""}).status_code == 200
    unset = {"usable_password": "false", "unset-password": "x"}
    assert root.post(f"{PEOPLE}{person.pk}/password/", unset)["Location"] == "/admin/password_change/"
    person.refresh_from_db()
    assert person.email == "superuser@example.com"
    assert (person.name, person.is_active, person.is_staff, person.is_superuser) == ("Root", True, True, True)


def test_whose_session_it_is_is_told_before_it_is_ended(root, alice, pair):
    [session] = Session.objects.all()
    page = root.post(SESSIONS, {"action": "end", "_selected_action": session.pk}).content.decode()

    assert f"{session} · alice@example.com" in page
    assert "127.0.0.1" in str(session)


@pytest.mark.parametrize(
    "form",
    [{}, {"username": "root@example.com"}, {"password": "x"}, {"username": "\0", "password": "\0"}],
)
def test_a_login_that_is_not_whole_is_told_so(client, db, form):
    page = client.post("/admin/login/", form)

    assert page.status_code == 200
    assert page.context["form"].errors
    assert not FailedLogin.objects.exists()


def test_no_word_of_who_is_erased_stays_in_the_history(root, alice, things):
    for path, action, model in (
        (SESSIONS, "end", Session),
        (TOKENS, "revoke", PersonalToken),
        (IDENTITIES, "unlink", Identity),
    ):
        act(root, path, action, model.objects.filter(user=alice))
    act(root, FAILURES, "forget", FailedLogin.objects.filter(email=alice.email))
    Session.objects.filter(user=alice).delete()
    assert LogEntry.objects.count() == 4
    root.post(f"{PEOPLE}{alice.pk}/delete/", {"post": "yes"})

    words = {word for entry in LogEntry.objects.all() for word in entry.object_repr.split()}
    assert not words & {"alice", "alice@example.com", "127.0.0.1", "198.51.100.7"}
    kinds = [entry.object_repr.split()[0] for entry in LogEntry.objects.order_by("pk")]
    assert kinds == ["session", "personal", "identity", "failed", "(erased)"]


def test_what_goes_with_a_person_is_told_and_what_stays_is_not(root, alice, things):
    LogEntry.objects.log_actions(alice.pk, User.objects.filter(pk=alice.pk), action_flag=2)
    page = root.get(f"{PEOPLE}{alice.pk}/delete/").content.decode()

    for kind in ("Sessions: 1", "Personal tokens: 1", "Identities: 1", "Failed logins: 1"):
        assert kind.lower() in page.lower()
    assert "log entries" not in page.lower()


@pytest.mark.parametrize("page", [f"{PEOPLE}{{alice}}/change/", f"{PEOPLE}{{alice}}/delete/"])
@pytest.mark.parametrize("column", ["", "nothing", "password"])
def test_a_thing_is_found_by_its_key_only(root, alice, page, column):
    assert root.get(f"{page.format(alice=alice.pk)}?_to_field={column}").status_code == 400


def test_a_search_for_too_little_is_told_so(root, alice):
    page = root.get(f"{PEOPLE}?q=al")

    assert rows(page) == []
    assert told(page) == [f"Search for {SHORTEST} letters or more."]


def test_a_field_that_is_typed_into_leaves_no_messages(root, alice):
    choices = "/admin/autocomplete/?app_label=tasks&model_name=task&field_name=owner"
    assert root.get(f"{choices}&term=al").json()["results"] == []
    assert [row["text"] for row in root.get(f"{choices}&term=ali").json()["results"]] == ["alice@example.com"]

    assert told(root.get("/admin/")) == []


def test_nobody_is_copied(root, alice):
    page = f"{PEOPLE}{alice.pk}/change/"
    form = form_of(root.get(page))

    assert root.post(page, {**form, "email": "copy@example.com", "_saveasnew": "1"}).status_code == 400
    assert User.objects.count() == 2
