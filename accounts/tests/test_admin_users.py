"""Staff find, edit, deactivate and delete users."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts import erasure
from accounts.models import FailedLogin, Session, User
from tasks.ledger.models import Tombstone
from tasks.models import Task
from tests.support.admin_client import (
    USERS,
    create_tasks,
    form_of,
    messages_on,
    rows_of,
    run_action,
    staff_client,
)
from tests.support.caller import PASSWORD, Caller, sign_in
from tests.support.locks import transaction_blocking
from todo_project.admin.search import MIN_WORD_LENGTH


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

    assert [user.email for user in rows_of(superuser.get(f"{USERS}?{query.format(alice=alice.pk)}"))] == found


def test_ending_a_users_sessions_signs_them_out_of_all_apps(superuser, alice, bob, credentials, pair):
    page = run_action(superuser, USERS, "end_sessions", [alice])

    assert messages_on(page) == ["1 user signed out of all apps."]
    assert Caller(pair["access"])("get", "/me").status_code == 401
    assert Session.objects.live(at=timezone.now()).get().user == bob
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.change_message) == (str(alice.pk), "Signed out of all apps.")


def test_a_deactivated_user_is_signed_out_immediately(superuser, alice, bob, pair):
    page = run_action(superuser, USERS, "deactivate", [alice])

    assert messages_on(page) == ["1 user deactivated."]
    assert Caller(pair["access"])("get", "/me").status_code == 401
    assert sign_in().status_code == 401
    assert User.objects.get(pk=bob.pk).is_active


def test_the_page_of_a_user_offers_only_actions_that_change_them(superuser, alice, bob, pair):
    def offered(user):
        return [name for name, _ in superuser.get(f"{USERS}{user.pk}/change/").context["page_actions"]]

    assert offered(alice) == ["end_sessions", "deactivate"]
    assert offered(bob) == ["deactivate"]
    assert offered(User.objects.get(is_superuser=True)) == []


def test_users_cannot_deactivate_themselves(superuser, alice):
    page = run_action(superuser, USERS, "deactivate", User.objects.all())

    assert messages_on(page) == ["1 user deactivated. 1 was left unchanged."]
    assert superuser.get(USERS).status_code == 200


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


def test_the_second_of_two_changes_of_one_field_is_shown_the_first(superuser, alice):
    page = f"{USERS}{alice.pk}/change/"
    opened = form_of(superuser.get(page))
    User.objects.filter(pk=alice.pk).update(name="Theirs", is_active=False)

    refused = superuser.post(page, {**opened, "name": "Mine", "time_zone": "Europe/Paris"})

    assert "Someone else has changed this to “Theirs”." in refused.content.decode()
    assert User.objects.get(pk=alice.pk).name == "Theirs"
    again = form_of(refused)
    assert (again["name"], again["time_zone"]) == ("Mine", "Europe/Paris")
    assert superuser.post(page, again).status_code == 302
    alice.refresh_from_db()
    assert (alice.name, alice.time_zone, alice.is_active) == ("Mine", "Europe/Paris", False)


def test_the_page_of_a_user_counts_their_rows(superuser, alice, bob, credentials):
    create_tasks(alice, *(str(number) for number in range(12)))

    page = superuser.get(f"{USERS}{alice.pk}/change/").content.decode()
    other = superuser.get(f"{USERS}{User.objects.get(is_superuser=True).pk}/change/").content.decode()

    assert f'<a href="/admin/tasks/task/?owner={alice.pk}">All tasks (12)</a>' in page
    assert f'<a href="/admin/accounts/session/?owner={alice.pk}">All sessions (1)</a>' in page
    assert "?owner=" not in other


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
    with transaction_blocking(lambda: superuser.post(page, form).status_code) as saving:
        if meanwhile == "erase":
            erasure.erase(alice)
        else:
            alice.change_password("another long password", at=timezone.now())

    assert saving == [302]
    left = User.objects.filter(is_superuser=False)
    remaining = [(user.name, user.check_password("another long password")) for user in left]
    assert remaining == ([] if meanwhile == "erase" else [("Alicia", True)])


def test_the_delete_page_counts_only_what_is_deleted_with_a_user(superuser, alice, bob, credentials):
    create_tasks(alice, "milk", "bread")
    create_tasks(alice, "beer", verbs=("delete", "purge"))
    create_tasks(bob, "beer")
    LogEntry.objects.log_actions(alice.pk, User.objects.filter(pk=alice.pk), action_flag=2)

    page = superuser.get(f"{USERS}{alice.pk}/delete/").content.decode().lower()
    response = superuser.post(f"{USERS}{alice.pk}/delete/", {"post": "yes"})

    for kind in ("tasks: 2", "sessions: 1", "personal tokens: 1", "identities: 1", "failed sign-ins: 1"):
        assert kind in page
    assert "milk" not in page
    assert "log entries" not in page
    assert "tombstones" not in page
    assert response.status_code == 302
    assert not User.objects.filter(pk=alice.pk).exists()
    assert Task.objects.get().title == "beer"
    assert not Tombstone.objects.exists()
    assert LogEntry.objects.get(action_flag=3).object_id == str(alice.pk)


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
    assert superuser.get(f"{USERS}?created_at__{lookup}").status_code in {302, 400}


@pytest.mark.parametrize("words", ["!!!", "C+++", "\U0001f600\U0001f600\U0001f600"])
def test_words_that_no_index_holds_are_not_searched_for(superuser, words):
    create_tasks(User.objects.create_user(None, name=f"{words} there"), f"{words} there")

    assert "0 tasks" in superuser.get("/admin/tasks/task/", {"q": words}).content.decode()
    assert "0 users" in superuser.get(USERS, {"q": words}).content.decode()


@pytest.mark.parametrize("query", ["gte=0001-01-01T00:00%2B23:59", "lt=9999-12-31T23:59-23:59"])
def test_a_time_out_of_range_is_no_server_error(superuser, query):
    # PostgreSQL holds more of them than SQLite.
    assert superuser.get(f"{USERS}?created_at__{query}").status_code in {200, 400}


def test_users_cannot_lock_themselves_out(superuser):
    user = User.objects.get()
    page = f"{USERS}{user.pk}/change/"
    form = form_of(superuser.get(page))
    assert not {"is_active", "is_staff", "is_superuser"} & form.keys()

    form = {**form, "name": "Root", "is_superuser": "", "is_staff": ""}
    assert superuser.post(page, form).status_code == 302
    assert superuser.post(f"{USERS}{user.pk}/delete/", {"post": "yes"}).status_code == 403
    assert superuser.post(page, {**form, "email": ""}).status_code == 200
    unset = {"usable_password": "false", "unset-password": "x"}
    assert superuser.post(f"{USERS}{user.pk}/password/", unset)["Location"] == "/admin/password_change/"
    user.refresh_from_db()
    assert user.email == "superuser@example.com"
    assert (user.name, user.is_active, user.is_staff, user.is_superuser) == ("Root", True, True, True)


@pytest.mark.parametrize("page", [f"{USERS}{{alice}}/change/", f"{USERS}{{alice}}/delete/"])
@pytest.mark.parametrize("column", ["", "nothing", "password"])
def test_pages_are_addressed_by_primary_key_only(superuser, alice, page, column):
    assert superuser.get(f"{page.format(alice=alice.pk)}?_to_field={column}").status_code == 400


def test_a_search_for_too_few_letters_shows_a_message(superuser, alice):
    page = superuser.get(f"{USERS}?q=al")

    assert rows_of(page) == []
    assert messages_on(page) == [f"Enter a word of at least {MIN_WORD_LENGTH} letters or digits."]


def test_an_autocomplete_field_leaves_no_messages(superuser, alice):
    choices = "/admin/autocomplete/?app_label=tasks&model_name=task&field_name=owner"
    found = [superuser.get(f"{choices}&term={term}").json()["results"] for term in ("al", "ali")]

    assert [[row["text"] for row in rows] for rows in found] == [[], ["alice@example.com"]]

    assert messages_on(superuser.get("/admin/")) == []


def test_save_as_new_is_rejected(superuser, alice):
    page = f"{USERS}{alice.pk}/change/"
    form = form_of(superuser.get(page))

    assert superuser.post(page, {**form, "email": "copy@example.com", "_saveasnew": "1"}).status_code == 400
    assert User.objects.count() == 2
