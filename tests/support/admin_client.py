"""Staff at the admin, as a browser would be: by role, with a page and its form."""

from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from tasks.models import Task
from tasks.operations import CREATE, Operation, perform

TASKS = "/admin/tasks/task/"
PEOPLE = "/admin/accounts/user/"


def staff(role: str) -> Client:
    """Somebody of this role, signed in: "Support", "Moderator", "superuser", or "" for staff without one."""
    call_command("make_roles", verbosity=0)
    email = f"{role or 'nobody'}@example.com".lower()
    superuser = role == "superuser"
    person = User.objects.create_user(email, is_staff=True, is_superuser=superuser)
    if role and not superuser:
        person.groups.add(Group.objects.get(name=role))
    client = Client(raise_request_exception=False)
    client.force_login(person)
    return client


def some_tasks(owner: User, *titles: str, verbs: tuple[str, ...] = ()) -> list[Task]:
    """Tasks of this owner, after each of these verbs."""
    tasks = perform(owner, [Operation(CREATE, values={"title": title}) for title in titles])
    for verb in verbs:
        tasks = perform(owner, [Operation(verb, task.pk) for task in tasks])
    return tasks


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        about = dict(attrs)
        name, kind = about.get("name"), about.get("type", "text")
        if tag == "input" and name and (kind in {"text", "hidden", "number", "email"} or "checked" in about):
            self.found.setdefault(name, about.get("value") or ("on" if kind == "checkbox" else ""))


def form_of(page: Any) -> dict[str, str]:
    """What the page's form would send as it stands, without its longer texts and choices."""
    fields = _Fields()
    fields.feed(page.content.decode())
    return fields.found


def act(
    client: Client, path: str, action: str, rows: Any, *, across: bool = False, confirm: bool = True
) -> Any:
    """Choose an action of a list, and answer the page that asks."""
    keys = [str(row.pk) for row in rows]
    chosen = {"action": action, "_selected_action": keys, "select_across": "1" if across else "0"}
    asked = client.post(path, {**chosen, "index": "0"}, follow=True)
    if not confirm or asked.status_code != 200 or b'name="confirmed"' not in asked.content:
        return asked
    return client.post(path, {**chosen, "confirmed": form_of(asked)["confirmed"]}, follow=action != "export")


def told(response: Any) -> list[str]:
    """The messages on a page."""
    return [str(message) for message in response.context["messages"]]
