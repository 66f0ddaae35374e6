"""A staff member's client for the admin: signed in by role, with the fields of a page's form."""

from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection, transaction

from accounts.models import User
from tasks.kinds import TASK
from tasks.ledger.kinds import CREATE
from tasks.ledger.operations import Operation, perform
from tasks.models import Task

from .client import Client

TASKS = "/admin/tasks/task/"
USERS = "/admin/accounts/user/"
PROJECTS, LABELS = "/admin/tasks/project/", "/admin/tasks/label/"
SESSIONS, TOKENS = "/admin/accounts/session/", "/admin/accounts/personaltoken/"
IDENTITIES, FAILURES = "/admin/accounts/identity/", "/admin/accounts/failedlogin/"
GROUPS = "/admin/auth/group/"


def staff_client(role: str) -> Client:
    """Signed in as "Support", "Moderator", "superuser", or "" for staff without a role."""
    call_command("make_roles", verbosity=0)
    email = f"{role or 'nobody'}@example.com".lower()
    superuser = role == "superuser"
    user = User.objects.create_user(email, is_staff=True, is_superuser=superuser)
    if role and not superuser:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@transaction.atomic
def create_tasks(owner: User, *titles: str, verbs: tuple[str, ...] = ()) -> list[Task]:
    """Create a task for each title, and perform the verbs on all of them."""
    tasks = perform(owner, [Operation(TASK, CREATE, values={"title": title}) for title in titles])
    for verb in verbs:
        tasks = perform(owner, [Operation(TASK, verb, task.pk) for task in tasks])
    return tasks


def forbid_open_beer() -> None:
    """Have the database reject an open task named beer, by a constraint that the code does not know."""
    statements = {
        "postgresql": "SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE tasks_task ADD CONSTRAINT no_beer "
        "CHECK (title <> 'beer' OR completed)",
        "sqlite": "CREATE TRIGGER no_beer BEFORE UPDATE ON tasks_task WHEN NEW.title = 'beer' AND NOT "
        "NEW.completed BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: no_beer'); END",
    }
    with connection.cursor() as cursor:
        cursor.execute(statements[connection.vendor])


class _InputParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        values = dict(attrs)
        name, kind = values.get("name"), values.get("type", "text")
        sent = kind in {"text", "hidden", "number", "email"} or "checked" in values
        if tag == "input" and name and sent:
            self.fields.setdefault(name, values.get("value") or ("on" if kind == "checkbox" else ""))


def form_of(page: Any) -> dict[str, str]:
    """The <input> fields that the page's form would send unchanged; no <textarea> and no <select>."""
    parser = _InputParser()
    parser.feed(page.content.decode())
    return parser.fields


def run_action(
    client: Client,
    path: str,
    action: str,
    rows: Any,
    *,
    across: bool = False,
    confirm: bool = True,
    **values: Any,
) -> Any:
    """Run an action of a change list, and confirm it with the values that it asks for."""
    keys = [str(row.pk if hasattr(row, "pk") else row["id"]) for row in rows]
    form = {"action": action, "_selected_action": keys, "select_across": "1" if across else "0", **values}
    page = client.post(path, {**form, "index": "0"}, follow=True)
    if not confirm or page.status_code != 200 or b'name="confirmed"' not in page.content:
        return page
    return client.post(path, {**form, "confirmed": form_of(page)["confirmed"]}, follow=action != "export")


def messages_on(page: Any) -> list[str]:
    return [str(message) for message in page.context["messages"]]


def rows_of(page: Any) -> list[Any]:
    """The rows of a change list."""
    assert page.status_code == 200
    return list(page.context["cl"].result_list)


class _OptionParser(HTMLParser):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.value = name, ""
        self.is_inside = False
        self.options: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        attributes = dict(attrs)
        if tag == "select":
            self.is_inside = attributes.get("name") == self.name
        elif tag == "option" and self.is_inside:
            self.value = attributes["value"]

    def handle_endtag(self, tag: str) -> None:
        self.is_inside = self.is_inside and tag != "select"

    def handle_data(self, data: str) -> None:
        if self.is_inside and data.strip():
            self.options[data.strip()] = self.value


def options_of(page: Any, name: str) -> dict[str, str]:
    """The options of a <select>: their texts and values."""
    parser = _OptionParser(name)
    parser.feed(page.content.decode())
    return parser.options
