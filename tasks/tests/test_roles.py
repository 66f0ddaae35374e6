"""The pages, actions and forms of each role. All others are neither shown nor possible."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError
from django.utils import timezone

from accounts.models import FailedLogin, Identity, PersonalToken, Session, User
from tasks.kinds import LABEL, PROJECT, TASK
from tasks.ledger.operations import Operation, perform
from tasks.models import Label, Project, Task
from tests.support.admin_client import (
    FAILURES,
    GROUPS,
    IDENTITIES,
    LABELS,
    PROJECTS,
    SESSIONS,
    TASKS,
    TOKENS,
    USERS,
    create_tasks,
    form_of,
    run_action,
    staff_client,
)
from tests.support.commands import run
from todo_project.admin.actions import bulk_action, selection_digest
from todo_project.admin.dashboard import panel
from todo_project.admin.options import BoundedModelAdmin
from todo_project.admin.roles import Role

pytestmark = pytest.mark.any_database

NO_ROLE, SUPPORT, MODERATOR, SUPERUSER = "", "Support", "Moderator", "superuser"
ROLES = [NO_ROLE, SUPPORT, MODERATOR, SUPERUSER]
ALL_ROLES = {SUPPORT, MODERATOR, SUPERUSER}

PAGES = {
    TASKS: ALL_ROLES,
    f"{TASKS}?q=milk&state=open": ALL_ROLES,
    f"{TASKS}add/": {SUPERUSER},
    f"{TASKS}{{task}}/change/": ALL_ROLES,
    f"{TASKS}{{task}}/history/": ALL_ROLES,
    f"{TASKS}{{task}}/delete/": set(),
    f"{TASKS}{{trashed}}/delete/": {SUPERUSER},
    USERS: ALL_ROLES,
    f"{USERS}add/": {SUPERUSER},
    f"{USERS}{{alice}}/change/": ALL_ROLES,
    f"{USERS}{{alice}}/history/": ALL_ROLES,
    f"{USERS}{{alice}}/password/": {SUPERUSER},
    f"{USERS}{{alice}}/delete/": {SUPERUSER},
    GROUPS: {SUPERUSER},
    f"{GROUPS}add/": {SUPERUSER},
    f"{GROUPS}{{group}}/change/": {SUPERUSER},
    f"{GROUPS}{{group}}/delete/": {SUPERUSER},
    "/admin/autocomplete/?term=alice&app_label=tasks&model_name=task&field_name=owner": ALL_ROLES,
    "/admin/autocomplete/?app_label=tasks&model_name=task&field_name=parent&owner={alice}": ALL_ROLES,
    f"{TASKS}?owner={{alice}}&project={{project}}&label={{label}}": ALL_ROLES,
    PROJECTS: ALL_ROLES,
    f"{PROJECTS}add/": {SUPERUSER},
    f"{PROJECTS}{{project}}/change/": ALL_ROLES,
    f"{PROJECTS}{{project}}/history/": ALL_ROLES,
    f"{PROJECTS}{{project}}/delete/": set(),
    f"{PROJECTS}{{trashed_project}}/delete/": {SUPERUSER},
    LABELS: ALL_ROLES,
    f"{LABELS}add/": {SUPERUSER},
    f"{LABELS}{{label}}/change/": ALL_ROLES,
    f"{LABELS}{{label}}/history/": ALL_ROLES,
    f"{LABELS}{{label}}/delete/": {SUPERUSER},
}
for path, row in {SESSIONS: "session", TOKENS: "token", IDENTITIES: "identity", FAILURES: "failure"}.items():
    PAGES |= {path: ALL_ROLES, f"{path}{{{row}}}/change/": ALL_ROLES}
    PAGES |= {f"{path}add/": set(), f"{path}{{{row}}}/delete/": set()}
ACTIONS = {
    (TASKS, "complete", "task"): {MODERATOR, SUPERUSER},
    (TASKS, "reopen", "completed"): {MODERATOR, SUPERUSER},
    (TASKS, "trash", "task"): {MODERATOR, SUPERUSER},
    (TASKS, "restore", "trashed"): {MODERATOR, SUPERUSER},
    (TASKS, "purge", "trashed"): {SUPERUSER},
    (TASKS, "export", "task"): {MODERATOR, SUPERUSER},
    (TASKS, "move", "task"): {MODERATOR, SUPERUSER},
    (TASKS, "add_label", "task"): {MODERATOR, SUPERUSER},
    (TASKS, "remove_label", "completed"): {MODERATOR, SUPERUSER},
    (PROJECTS, "archive", "project"): {MODERATOR, SUPERUSER},
    (PROJECTS, "unarchive", "archived_project"): {MODERATOR, SUPERUSER},
    (PROJECTS, "trash", "project"): {MODERATOR, SUPERUSER},
    (PROJECTS, "restore", "trashed_project"): {MODERATOR, SUPERUSER},
    (PROJECTS, "purge", "trashed_project"): {SUPERUSER},
    (PROJECTS, "export", "project"): {MODERATOR, SUPERUSER},
    (LABELS, "export", "label"): {MODERATOR, SUPERUSER},
    (USERS, "end_sessions", "alice"): ALL_ROLES,
    (USERS, "deactivate", "alice"): {SUPERUSER},
    (SESSIONS, "end", "session"): ALL_ROLES,
    (TOKENS, "revoke", "token"): ALL_ROLES,
    (IDENTITIES, "unlink", "identity"): {SUPERUSER},
    (FAILURES, "forget", "failure"): {SUPERUSER},
}
ON_PAGES = {
    "complete", "reopen", "trash", "restore", "archive", "unarchive", "end_sessions", "deactivate", "end",
    "revoke", "unlink",
}  # fmt: skip
ACTION_PAGES = {
    f"{path}{{{row}}}/action/{action}/": roles if action in ON_PAGES else set()
    for (path, action, row), roles in ACTIONS.items()
}
POSTS = {
    (f"{TASKS}add/", "owner={alice}&title=x&priority=0&description=&due_at_0=&due_at_1="): {SUPERUSER},
    (
        f"{TASKS}{{task}}/change/",
        "title=x&priority=0&description=&due_at_0=&due_at_1=&seen_version={task_version}",
    ): {
        MODERATOR,
        SUPERUSER,
    },
    (f"{TASKS}{{trashed}}/delete/", "post=yes"): {SUPERUSER},
    (f"{PROJECTS}add/", "owner={alice}&name=x"): {SUPERUSER},
    (f"{PROJECTS}{{project}}/change/", "name=x&seen_version={project_version}"): {MODERATOR, SUPERUSER},
    (f"{PROJECTS}{{trashed_project}}/delete/", "post=yes"): {SUPERUSER},
    (f"{LABELS}add/", "owner={alice}&name=x"): {SUPERUSER},
    (f"{LABELS}{{label}}/change/", "name=x&seen_version={label_version}"): {MODERATOR, SUPERUSER},
    (f"{LABELS}{{label}}/delete/", "post=yes"): {SUPERUSER},
    (f"{USERS}add/", "email=new@example.com&name=&usable_password=false"): {SUPERUSER},
    (f"{USERS}{{alice}}/change/", "email=alice@example.com&name=x&time_zone=UTC&is_active=on"): {SUPERUSER},
    (f"{USERS}{{alice}}/password/", "usable_password=true&password1={long}&password2={long}"): {SUPERUSER},
    (f"{USERS}{{alice}}/delete/", "post=yes"): {SUPERUSER},
    (f"{GROUPS}add/", "name=Mine"): {SUPERUSER},
    (f"{GROUPS}{{group}}/change/", "name=Mine"): {SUPERUSER},
    (f"{GROUPS}{{group}}/delete/", "post=yes"): {SUPERUSER},
}
MODELS: list[Any] = [
    Task,
    Project,
    Label,
    User,
    Session,
    PersonalToken,
    Identity,
    FailedLogin,
    Group,
    LogEntry,
]


@pytest.fixture
def one_of_each(alice):
    """A row of each model, by the name used in the tables above."""
    now = timezone.now()
    [task] = create_tasks(alice, "milk")
    [completed] = create_tasks(alice, "bread", verbs=("complete",))
    [trashed] = create_tasks(alice, "beer", verbs=("delete",))
    names = ["project", "archived_project", "trashed_project"]
    new = [Operation(PROJECT, "create", values={"name": name}) for name in names]
    project, archived_project, trashed_project, label = perform(
        alice, [*new, Operation(LABEL, "create", values={"name": "label"})]
    )
    perform(
        alice,
        [
            Operation(PROJECT, "archive", archived_project.pk),
            Operation(PROJECT, "delete", trashed_project.pk),
            Operation(TASK, "update", task.pk, {"project": project.pk}),
            Operation(TASK, "update", completed.pk, {"labels": [label.pk]}),
        ],
    )
    task.refresh_from_db()
    theirs = {"user": alice, "expires_at": now + timedelta(days=1)}
    return {
        "alice": alice,
        "task": task,
        "completed": completed,
        "trashed": trashed,
        "project": project,
        "archived_project": archived_project,
        "trashed_project": trashed_project,
        "label": label,
        "session": Session.objects.create(**theirs),
        "token": PersonalToken.objects.create(**theirs, name="script", hash="h"),
        "identity": Identity.objects.create(user=alice, issuer="https://issuer.example", subject="a"),
        "failure": FailedLogin.objects.create(email=alice.email, address="198.51.100.7", at=now),
        "group": Group.objects.create(name="Others"),
    }


def keys(one_of_each):
    versions = {f"{name}_version": getattr(row, "version", None) for name, row in one_of_each.items()}
    rows = {name: row.pk for name, row in one_of_each.items()}
    return rows | versions | {"long": "another long password"}


def all_rows():
    return [list(model.objects.order_by("pk").values()) for model in MODELS] + [
        sorted(Group.permissions.through.objects.values_list("group", "permission"))
    ]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_can_open_its_pages_and_no_others(role, one_of_each):
    client = staff_client(role)

    pages = PAGES | ACTION_PAGES
    opened = {page: client.get(page.format(**keys(one_of_each))).status_code for page in pages}

    assert opened == {page: 200 if role in roles else 403 for page, roles in pages.items()}


@pytest.mark.parametrize("page", ["/admin/", *PAGES])
def test_users_who_are_not_staff_are_redirected_to_the_login(page, one_of_each, client):
    client.force_login(one_of_each["alice"])

    response = client.get(page.format(**keys(one_of_each)))

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("role", [SUPPORT, MODERATOR, SUPERUSER])
def test_each_list_offers_the_actions_of_the_role_and_no_others(role, one_of_each):
    client = staff_client(role)

    for path in {path for path, _, _ in ACTIONS}:
        page = body(client, path)
        offered = {action for _, action, _ in ACTIONS if f'<option value="{action}"' in page}
        assert offered == {
            action for (at, action, _), roles in ACTIONS.items() if at == path and role in roles
        }


def body(client, path):
    return client.get(path).content.decode()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("path", "action", "row"), ACTIONS)
def test_each_role_can_run_its_actions_and_no_others(role, path, action, row, one_of_each):
    client, before = staff_client(role), all_rows()
    key = str(one_of_each[row].pk)
    confirmed = "1" if action == "export" else selection_digest([key])

    form = {
        "action": action, "_selected_action": key, "confirmed": confirmed, "project": "none",
        "label": str(one_of_each["label"].pk),
    }  # fmt: skip

    response = client.post(path, form)

    if role in ACTIONS[path, action, row]:
        assert response.status_code == (200 if action == "export" else 302)
        assert LogEntry.objects.count() == 1
    else:
        assert response.status_code == 403
        assert all_rows() == before


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("path", "form"), POSTS)
def test_each_role_can_send_its_forms_and_no_others(role, path, form, one_of_each):
    client, before = staff_client(role), all_rows()
    fields = dict(pair.split("=") for pair in form.format(**keys(one_of_each)).split("&"))

    response = client.post(path.format(**keys(one_of_each)), fields)

    if role in POSTS[path, form]:
        assert response.status_code == 302, response.content
        assert all_rows() != before
    else:
        assert response.status_code == 403
        assert all_rows() == before


@pytest.mark.parametrize("role", [SUPPORT, MODERATOR])
def test_no_page_links_to_what_the_role_cannot_open(role, one_of_each):
    client = staff_client(role)
    pages = [page.format(**keys(one_of_each)) for page, roles in PAGES.items() if role in roles]
    editable = {
        f"{path}{one_of_each[name].pk}/change/"
        for path, name in ((TASKS, "task"), (PROJECTS, "project"), (LABELS, "label"))
    }

    for page in ["/admin/", *pages]:
        text = client.get(page).content.decode()
        for forbidden in ("add/", "delete/", f"/{one_of_each['alice'].pk}/password/", GROUPS):
            assert f'{forbidden}"' not in text.replace("/autocomplete/", ""), page
        can_save = role == MODERATOR and page in editable
        assert ('name="_save"' in text) == can_save, page


def test_the_owner_is_no_link_without_permission_to_view_users(one_of_each):
    client = staff_client(NO_ROLE)
    only_tasks = Permission.objects.get(codename="view_task")
    User.objects.get(email="nobody@example.com").user_permissions.add(only_tasks)

    page = body(client, TASKS)

    assert "alice@example.com" in page
    assert USERS not in page


# Privilege escalation


@pytest.fixture
def user_manager(one_of_each):
    """The client and user of a staff member who has all permissions on users and groups."""
    client = staff_client(NO_ROLE)
    user = User.objects.get(email="nobody@example.com")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=["accounts", "auth"]))
    return client, user


ESCALATION = {"is_staff": "on", "is_superuser": "on", "groups": "1", "user_permissions": "1"}


def test_staff_cannot_make_a_user_staff(user_manager, one_of_each):
    client, alice = user_manager[0], one_of_each["alice"]
    page = client.get(f"{USERS}{alice.pk}/change/")
    response = client.post(f"{USERS}{alice.pk}/change/", {**form_of(page), "name": "Changed", **ESCALATION})

    assert response.status_code == 302
    alice.refresh_from_db()
    assert (alice.name, alice.is_staff, alice.is_superuser) == ("Changed", False, False)
    assert not alice.groups.exists()
    assert not alice.user_permissions.exists()


def test_staff_cannot_create_staff(user_manager):
    client, _ = user_manager
    client.post(f"{USERS}add/", {"email": "new@example.com", "usable_password": "false", **ESCALATION})

    new = User.objects.get(email="new@example.com")
    assert (new.is_staff, new.is_superuser) == (False, False)


@pytest.mark.parametrize("who", ["themselves", "a superuser", "a colleague"])
@pytest.mark.parametrize(
    ("page", "form"),
    [
        ("change/", {"email": "mine@example.com", "is_active": "on", **ESCALATION}),
        ("password/", {"usable_password": "true", "password1": "longpassw0rd", "password2": "longpassw0rd"}),
        ("delete/", {"post": "yes"}),
    ],
)
def test_only_superusers_can_change_staff(user_manager, who, page, form):
    client, user = user_manager
    if who == "a superuser":
        user = User.objects.create_superuser("root@example.com", "a long password")
    elif who == "a colleague":
        user = User.objects.create_user("colleague@example.com", is_staff=True)
    before = all_rows()

    response = client.post(f"{USERS}{user.pk}/{page}", form)

    assert response.status_code == 403
    assert all_rows() == before


def test_staff_cannot_deactivate_staff(user_manager, one_of_each):
    client, _ = user_manager
    superuser = User.objects.create_superuser("root@example.com", "a long password")

    run_action(client, USERS, "deactivate", [superuser, one_of_each["alice"]])

    assert set(User.objects.filter(is_active=False)) == {one_of_each["alice"]}


def test_staff_cannot_change_roles(user_manager, one_of_each):
    client, _ = user_manager
    page, form = f"{GROUPS}{one_of_each['group'].pk}/change/", {"name": "x", "permissions": "1"}

    assert client.get(GROUPS).status_code == 403
    assert client.post(page, form).status_code == 403


# The command


def test_make_roles_can_run_twice(db):
    run("make_roles")
    made = all_rows()

    output, _ = run("make_roles")

    assert all_rows() == made
    assert output == "Support: reset, 10 permissions.\nModerator: reset, 16 permissions.\n"


def test_make_roles_resets_permissions_and_keeps_members(alice):
    run("make_roles")
    support, others = Group.objects.get(name="Support"), Group.objects.create(name="Others")
    alice.groups.add(support)
    extra = Permission.objects.get(codename="delete_user")
    support.permissions.set([extra])
    others.permissions.set([extra])

    run("make_roles")

    assert support.permissions.count() == 10
    assert not support.permissions.filter(codename="delete_user").exists()
    assert list(alice.groups.all()) == [support]
    assert list(others.permissions.all()) == [extra]


def test_make_roles_before_migrate_is_an_error_and_creates_nothing(db):
    Permission.objects.filter(codename="export_task").delete()

    message = "The permission tasks.export_task does not exist yet. Run `manage.py migrate` first."
    with pytest.raises(CommandError, match=message):
        run("make_roles")
    assert not Group.objects.exists()


@pytest.mark.parametrize("name", ["tasks.exprot_task", "task.view_task", "view_task", ""])
@pytest.mark.parametrize(
    "declare",
    [
        Role("Auditor").grant,
        lambda name: panel("Notes", permission=name)(lambda at: []),
    ],
    ids=["role", "panel"],
)
def test_an_unknown_permission_stops_the_start(declare, name):
    with pytest.raises(ImproperlyConfigured, match=f"There is no permission {name!r}."):
        declare(name)


@pytest.mark.parametrize(
    ("permission", "name"),
    [
        ("exprot", "tasks.exprot_task"),
        ("tasks.exprot_task", "tasks.exprot_task"),
        ("task.view_task", "task.view_task"),
        ("", "tasks._task"),
    ],
)
def test_an_unknown_permission_of_an_action_stops_the_start(permission, name):
    class ArchiveAdmin(BoundedModelAdmin):
        actions = ("archive",)
        archive = bulk_action("Archive", permission=permission, done="archived")(lambda *arguments: [])

    with pytest.raises(ImproperlyConfigured, match=f"There is no permission {name!r}."):
        ArchiveAdmin(Task, site)


def test_removing_a_role_takes_effect_immediately(one_of_each):
    client = staff_client(SUPPORT)
    assert client.get(TASKS).status_code == 200
    User.objects.get(email="support@example.com").groups.clear()

    assert client.get(TASKS).status_code == 403
