"""What each role may do: page by page and action by action. The rest is neither shown nor possible."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import FailedLogin, Identity, PersonalToken, Session, User
from tasks.models import Task
from tests.support.admin_client import PEOPLE, TASKS, act, form_of, some_tasks, staff
from todo_project.admin.options import seal

NOBODY, SUPPORT, MODERATOR, SUPERUSER = "", "Support", "Moderator", "superuser"
ROLES = [NOBODY, SUPPORT, MODERATOR, SUPERUSER]
EVERYBODY = {SUPPORT, MODERATOR, SUPERUSER}
SESSIONS, TOKENS = "/admin/accounts/session/", "/admin/accounts/personaltoken/"
IDENTITIES, FAILURES = "/admin/accounts/identity/", "/admin/accounts/failedlogin/"
GROUPS = "/admin/auth/group/"

PAGES = {
    f"{TASKS}": EVERYBODY,
    f"{TASKS}?q=milk&state=open": EVERYBODY,
    f"{TASKS}add/": {SUPERUSER},
    f"{TASKS}{{task}}/change/": EVERYBODY,
    f"{TASKS}{{task}}/history/": EVERYBODY,
    f"{TASKS}{{task}}/delete/": set(),
    f"{TASKS}{{trashed}}/delete/": {SUPERUSER},
    f"{PEOPLE}": EVERYBODY,
    f"{PEOPLE}add/": {SUPERUSER},
    f"{PEOPLE}{{alice}}/change/": EVERYBODY,
    f"{PEOPLE}{{alice}}/history/": EVERYBODY,
    f"{PEOPLE}{{alice}}/password/": {SUPERUSER},
    f"{PEOPLE}{{alice}}/delete/": {SUPERUSER},
    f"{SESSIONS}": EVERYBODY,
    f"{SESSIONS}{{session}}/change/": EVERYBODY,
    f"{SESSIONS}add/": set(),
    f"{SESSIONS}{{session}}/delete/": set(),
    f"{TOKENS}": EVERYBODY,
    f"{TOKENS}{{token}}/change/": EVERYBODY,
    f"{TOKENS}add/": set(),
    f"{TOKENS}{{token}}/delete/": set(),
    f"{IDENTITIES}": EVERYBODY,
    f"{IDENTITIES}{{identity}}/change/": EVERYBODY,
    f"{IDENTITIES}add/": set(),
    f"{IDENTITIES}{{identity}}/delete/": set(),
    f"{FAILURES}": EVERYBODY,
    f"{FAILURES}{{failure}}/change/": EVERYBODY,
    f"{FAILURES}add/": set(),
    f"{FAILURES}{{failure}}/delete/": set(),
    f"{GROUPS}": {SUPERUSER},
    f"{GROUPS}add/": {SUPERUSER},
    f"{GROUPS}{{group}}/change/": {SUPERUSER},
    f"{GROUPS}{{group}}/delete/": {SUPERUSER},
    "/admin/autocomplete/?term=alice&app_label=tasks&model_name=task&field_name=owner": EVERYBODY,
}
ACTIONS = {
    (TASKS, "complete", "task"): {MODERATOR, SUPERUSER},
    (TASKS, "reopen", "completed"): {MODERATOR, SUPERUSER},
    (TASKS, "trash", "task"): {MODERATOR, SUPERUSER},
    (TASKS, "restore", "trashed"): {MODERATOR, SUPERUSER},
    (TASKS, "purge", "trashed"): {SUPERUSER},
    (TASKS, "export", "task"): {MODERATOR, SUPERUSER},
    (PEOPLE, "end_sessions", "alice"): EVERYBODY,
    (PEOPLE, "deactivate", "alice"): {SUPERUSER},
    (SESSIONS, "end", "session"): EVERYBODY,
    (TOKENS, "revoke", "token"): EVERYBODY,
    (IDENTITIES, "unlink", "identity"): {SUPERUSER},
    (FAILURES, "forget", "failure"): {SUPERUSER},
}
POSTS = {
    (f"{TASKS}add/", "owner={alice}&title=x&priority=0&description=&due_at_0=&due_at_1="): {SUPERUSER},
    (f"{TASKS}{{task}}/change/", "title=x&priority=0&description=&due_at_0=&due_at_1=&seen_version=1"): {
        MODERATOR,
        SUPERUSER,
    },
    (f"{TASKS}{{trashed}}/delete/", "post=yes"): {SUPERUSER},
    (f"{PEOPLE}add/", "email=new@example.com&name=&usable_password=false"): {SUPERUSER},
    (f"{PEOPLE}{{alice}}/change/", "email=alice@example.com&name=x&is_active=on"): {SUPERUSER},
    (f"{PEOPLE}{{alice}}/password/", "usable_password=true&password1={long}&password2={long}"): {SUPERUSER},
    (f"{PEOPLE}{{alice}}/delete/", "post=yes"): {SUPERUSER},
    (f"{GROUPS}add/", "name=Mine"): {SUPERUSER},
    (f"{GROUPS}{{group}}/change/", "name=Mine"): {SUPERUSER},
    (f"{GROUPS}{{group}}/delete/", "post=yes"): {SUPERUSER},
}
MODELS: list[Any] = [Task, User, Session, PersonalToken, Identity, FailedLogin, Group, LogEntry]


@pytest.fixture
def things(alice):
    """One of everything, by the name that the tables use."""
    now = timezone.now()
    [task] = some_tasks(alice, "milk")
    [completed] = some_tasks(alice, "bread", verbs=("complete",))
    [trashed] = some_tasks(alice, "beer", verbs=("delete",))
    theirs = {"user": alice, "expires_at": now + timedelta(days=1)}
    return {
        "alice": alice,
        "task": task,
        "completed": completed,
        "trashed": trashed,
        "session": Session.objects.create(**theirs),
        "token": PersonalToken.objects.create(**theirs, name="script", hash="h"),
        "identity": Identity.objects.create(user=alice, issuer="https://issuer.example", subject="a"),
        "failure": FailedLogin.objects.create(email=alice.email, address="198.51.100.7", at=now),
        "group": Group.objects.create(name="Others"),
    }


def keys(things):
    return {name: thing.pk for name, thing in things.items()} | {"long": "another long password"}


def everything():
    return [list(model.objects.order_by("pk").values()) for model in MODELS] + [
        sorted(Group.permissions.through.objects.values_list("group", "permission"))
    ]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_its_pages_and_no_other(role, things):
    client = staff(role)

    opened = {page: client.get(page.format(**keys(things))).status_code for page in PAGES}

    assert opened == {page: 200 if role in roles else 403 for page, roles in PAGES.items()}


@pytest.mark.parametrize("page", PAGES)
def test_who_is_not_staff_is_sent_to_the_login(page, things, client):
    client.force_login(things["alice"])

    response = client.get(page.format(**keys(things)))

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("role", [SUPPORT, MODERATOR, SUPERUSER])
def test_each_list_offers_the_actions_of_the_role_and_no_other(role, things):
    client = staff(role)

    for path in {path for path, _, _ in ACTIONS}:
        page = body(client, path)
        offered = {action for _, action, _ in ACTIONS if f'<option value="{action}"' in page}
        assert offered == {
            action for (at, action, _), roles in ACTIONS.items() if at == path and role in roles
        }


def body(client, path):
    return client.get(path).content.decode()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("path", "action", "thing"), ACTIONS)
def test_each_role_runs_its_actions_and_no_other(role, path, action, thing, things):
    client, before = staff(role), everything()
    key = str(things[thing].pk)
    form = {
        "action": action,
        "_selected_action": key,
        "confirmed": "1" if action == "export" else seal([key]),
    }

    response = client.post(path, form)

    if role in ACTIONS[path, action, thing]:
        assert response.status_code == (200 if action == "export" else 302)
        assert LogEntry.objects.count() == 1
    else:
        assert response.status_code == 403
        assert everything() == before


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("path", "form"), POSTS)
def test_each_role_sends_its_forms_and_no_other(role, path, form, things):
    client, before = staff(role), everything()
    fields = dict(pair.split("=") for pair in form.format(**keys(things)).split("&"))

    response = client.post(path.format(**keys(things)), fields)

    if role in POSTS[path, form]:
        assert response.status_code == 302, form_errors(response)
        assert everything() != before
    else:
        assert response.status_code == 403
        assert everything() == before


def form_errors(response):
    return response.context["errors"] if response.context else response.content


@pytest.mark.parametrize("role", [SUPPORT, MODERATOR])
def test_no_page_offers_a_way_to_what_is_not_the_roles(role, things):
    client = staff(role)
    pages = [page.format(**keys(things)) for page, roles in PAGES.items() if role in roles]

    for page in ["/admin/", *pages]:
        text = client.get(page).content.decode()
        for forbidden in ("add/", "delete/", f"/{things['alice'].pk}/password/", GROUPS):
            assert f'{forbidden}"' not in text.replace("/autocomplete/", ""), page
        can_save = role == MODERATOR and page == f"{TASKS}{things['task'].pk}/change/"
        assert ('name="_save"' in text) == can_save, page


def test_no_link_leads_to_a_person_whom_one_may_not_see(things):
    client = staff(NOBODY)
    only_tasks = Permission.objects.get(codename="view_task")
    User.objects.get(email="nobody@example.com").user_permissions.add(only_tasks)

    page = body(client, TASKS)

    assert "alice@example.com" in page
    assert PEOPLE not in page


# Nobody rises by what they may do


@pytest.fixture
def helper(things):
    """Staff who may change people and groups, by permissions that a superuser gave them; no superuser."""
    client = staff(NOBODY)
    person = User.objects.get(email="nobody@example.com")
    person.user_permissions.set(Permission.objects.filter(content_type__app_label__in=["accounts", "auth"]))
    return client, person


RISE = {"is_staff": "on", "is_superuser": "on", "groups": "1", "user_permissions": "1"}


def test_staff_make_nobody_staff(helper, things):
    client, alice = helper[0], things["alice"]
    page = client.get(f"{PEOPLE}{alice.pk}/change/")
    response = client.post(f"{PEOPLE}{alice.pk}/change/", {**form_of(page), "name": "Changed", **RISE})

    assert response.status_code == 302
    alice.refresh_from_db()
    assert alice.name == "Changed"
    assert not alice.is_staff
    assert not alice.is_superuser
    assert not alice.groups.exists()
    assert not alice.user_permissions.exists()


def test_staff_make_no_new_staff(helper):
    client, _ = helper
    client.post(f"{PEOPLE}add/", {"email": "new@example.com", "usable_password": "false", **RISE})

    new = User.objects.get(email="new@example.com")
    assert (new.is_staff, new.is_superuser) == (False, False)


@pytest.mark.parametrize("who", ["themselves", "a superuser", "a colleague"])
@pytest.mark.parametrize(
    ("page", "form"),
    [
        ("change/", {"email": "mine@example.com", "is_active": "on", **RISE}),
        (
            "password/",
            {"usable_password": "true", "password1": "a long passw0rd", "password2": "a long passw0rd"},
        ),
        ("delete/", {"post": "yes"}),
    ],
)
def test_staff_are_written_by_superusers_only(helper, who, page, form):
    client, person = helper
    if who == "a superuser":
        person = User.objects.create_superuser("root@example.com", "a long password")
    elif who == "a colleague":
        person = User.objects.create_user("colleague@example.com", is_staff=True)
    before = everything()

    response = client.post(f"{PEOPLE}{person.pk}/{page}", form)

    assert response.status_code == 403
    assert everything() == before


def test_staff_put_out_no_staff(helper, things):
    client, _ = helper
    root = User.objects.create_superuser("root@example.com", "a long password")

    act(client, PEOPLE, "deactivate", [root, things["alice"]])

    assert set(User.objects.filter(is_active=False)) == {things["alice"]}


def test_staff_write_no_roles(helper, things):
    client, _ = helper
    assert client.get(GROUPS).status_code == 403
    assert (
        client.post(f"{GROUPS}{things['group'].pk}/change/", {"name": "x", "permissions": "1"}).status_code
        == 403
    )


# The command


def test_make_roles_may_run_twice(db):
    call_command("make_roles", stdout=StringIO())
    made = everything()

    out = StringIO()
    call_command("make_roles", stdout=out)

    assert everything() == made
    assert out.getvalue() == "Support: set right, 8 permissions.\nModerator: set right, 10 permissions.\n"


def test_make_roles_sets_right_what_was_changed_and_keeps_who_has_a_role(alice):
    call_command("make_roles", verbosity=0)
    support, others = Group.objects.get(name="Support"), Group.objects.create(name="Others")
    alice.groups.add(support)
    extra = Permission.objects.get(codename="delete_user")
    support.permissions.set([extra])
    others.permissions.set([extra])

    call_command("make_roles", verbosity=0)

    assert support.permissions.count() == 8
    assert not support.permissions.filter(codename="delete_user").exists()
    assert list(alice.groups.all()) == [support]
    assert list(others.permissions.all()) == [extra]


def test_make_roles_before_migrate_says_so_and_makes_nothing(db):
    Permission.objects.filter(codename="export_task").delete()

    with pytest.raises(
        CommandError, match="There is no permission tasks.export_task yet. Run `manage.py migrate`"
    ):
        call_command("make_roles", verbosity=0)
    assert not Group.objects.exists()


def test_a_role_that_is_taken_away_is_gone_at_once(things):
    client = staff(SUPPORT)
    assert client.get(TASKS).status_code == 200
    User.objects.get(email="support@example.com").groups.clear()

    assert client.get(TASKS).status_code == 403
