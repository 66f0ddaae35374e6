"""Actions on the page of a task or project, and what an action asks before it changes anything."""

import pytest
from django.contrib.admin.models import LogEntry

from accounts.models import Session
from tasks.models import Project, Task
from tests.support.admin_client import (
    PROJECTS,
    SESSIONS,
    TASKS,
    create_tasks,
    form_of,
    messages_on,
    options_of,
    run_action,
    staff_client,
)
from tests.support.dashboard_page import staff_with
from tests.support.tasks import create, create_task


def offered(client, page):
    """The labels of the page's actions, by their names."""
    return dict(client.get(page).context["page_actions"])


def run_on_page(client, page, action):
    """Press the button of an action on the page of a row, and confirm it."""
    url = page.replace("change/", f"action/{action}/")
    assert f'<a href="{url}">{offered(client, page)[action]}</a>' in client.get(page).content.decode()
    return client.post(url, {"confirmed": form_of(client.get(url))["confirmed"]}, follow=True)


@pytest.mark.parametrize(
    ("verbs", "actions"),
    [
        ((), ["complete", "trash"]),
        (("complete",), ["reopen", "trash"]),
        (("delete",), ["restore"]),
        (("complete", "delete"), ["restore"]),
    ],
)
def test_the_page_of_a_task_offers_only_actions_that_change_it(superuser, alice, verbs, actions):
    [task] = create_tasks(alice, "milk", verbs=verbs)

    assert [*offered(superuser, f"{TASKS}{task.pk}/change/")] == actions


@pytest.mark.parametrize("role", ["Support", "Moderator"])
def test_the_page_of_a_task_offers_only_permitted_actions(alice, role):
    [task] = create_tasks(alice, "milk")
    client, url = staff_client(role), f"{TASKS}{task.pk}/action/complete/"

    names = ["complete", "trash"] if role == "Moderator" else []
    assert [*offered(client, f"{TASKS}{task.pk}/change/")] == names
    assert client.get(url).status_code == (200 if names else 403)


def test_an_action_needs_the_permission_to_view_the_row(alice):
    session = Session.objects.create(user=alice, expires_at="2999-01-01T00:00Z")
    url = f"{SESSIONS}{session.pk}/action/end/"

    assert staff_with("accounts.end_session").get(url).status_code == 403
    assert staff_with("accounts.end_session", "accounts.view_session").get(url).status_code == 200


def test_a_task_is_completed_reopened_trashed_and_restored_on_its_page(superuser, as_alice, alice):
    [task] = create_tasks(alice, "milk")
    page = f"{TASKS}{task.pk}/change/"
    for action, message in [
        ("complete", "completed"), ("reopen", "reopened"), ("trash", "moved to the trash"),
        ("restore", "restored from the trash"),
    ]:  # fmt: skip
        shown = run_on_page(superuser, page, action)

        assert shown.redirect_chain == [(page, 302)]
        assert messages_on(shown) == [f"1 task {message}."]
    assert as_alice("get", f"/tasks/{task.pk}").json()["version"] == 5
    assert LogEntry.objects.filter(object_id=str(task.pk)).count() == 4


def test_a_project_is_archived_trashed_and_restored_on_its_page(superuser, as_alice):
    garden = create(as_alice, "/projects", name="Garden")["id"]
    create_task(as_alice, "water", project=garden)
    page = f"{PROJECTS}{garden}/change/"
    for action, then in [
        ("archive", ["unarchive", "trash"]), ("unarchive", ["archive", "trash"]), ("trash", ["restore"]),
        ("restore", ["archive", "trash"]),
    ]:  # fmt: skip
        run_on_page(superuser, page, action)

        assert [*offered(superuser, page)] == then


def test_an_action_on_a_page_asks_first_and_says_what_else_changes(superuser, as_alice):
    garden = create(as_alice, "/projects", name="Garden")["id"]
    create_task(as_alice, "water", project=garden)

    page = superuser.get(f"{PROJECTS}{garden}/action/trash/").content.decode()

    assert "<h1>Move 1 project to the trash?</h1>" in page
    assert "Also affected: 1 task." in page
    assert Project.objects.live().exists()


@pytest.mark.parametrize(
    ("key", "action", "status"),
    [("{pk}", "purge", 403), ("{pk}", "nothing", 403), ("{pk}", "export", 403), ("x", "trash", 400),
     ("6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52", "trash", 404)],
)  # fmt: skip
def test_an_action_that_the_page_did_not_offer_is_rejected(superuser, alice, key, action, status):
    [task] = create_tasks(alice, "milk")

    assert superuser.get(f"{TASKS}{key.format(pk=task.pk)}/action/{action}/").status_code == status
    assert Task.objects.live().exists()


def test_an_action_that_would_change_nothing_is_a_message_on_the_page(superuser, alice):
    [task] = create_tasks(alice, "milk", verbs=("complete",))
    page = superuser.get(f"{TASKS}{task.pk}/action/complete/", follow=True)

    assert page.redirect_chain == [(f"{TASKS}{task.pk}/change/", 302)]
    assert messages_on(page) == ["Nothing was changed. The task is not open."]


# Confirmations


@pytest.mark.parametrize(
    ("action", "question", "tone"),
    [
        ("complete", "Complete 2 tasks", ""),
        ("move", "Move 2 tasks to a project", ""),
        ("add_label", "Add a label to 2 tasks", ""),
        ("trash", "Move 2 tasks to the trash", "caution"),
        ("export", "Export 2 tasks as CSV", ""),
        ("restore", "Restore 2 tasks from the trash", ""),
        ("purge", "Delete 2 tasks permanently", "danger"),
    ],
)
def test_a_confirmation_says_what_will_happen_in_the_color_of_it(superuser, alice, action, question, tone):
    verbs = ("delete",) if action in {"restore", "purge"} else ()
    tasks = create_tasks(alice, "milk", "bread", verbs=verbs)

    page = run_action(superuser, TASKS, action, tasks, confirm=False).content.decode()

    assert f"<h1>{question}?</h1>" in page
    assert f'<input type="submit" class="default {tone}" value="{question}">' in page


def test_a_confirmation_counts_only_the_rows_that_change(superuser, alice):
    tasks = [*create_tasks(alice, "milk"), *create_tasks(alice, "bread", "beer", verbs=("delete",))]

    page = run_action(superuser, TASKS, "purge", tasks, confirm=False).content.decode()

    assert "<h1>Delete 2 tasks permanently?</h1>" in page
    assert "1 of the 3 selected tasks is not in the trash, and stays unchanged." in page
    assert "<li>milk" not in page


@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("", {"complete", "reopen", "trash", "restore", "purge", "move", "add_label", "remove_label"}),
        ("state=open", {"complete", "trash", "move", "add_label", "remove_label"}),
        ("state=completed", {"reopen", "trash", "move", "add_label", "remove_label"}),
        ("state=trashed", {"restore", "purge"}),
    ],
)
def test_a_list_offers_only_actions_that_can_change_its_rows(superuser, alice, query, actions):
    create_tasks(alice, "milk")
    create_tasks(alice, "bread", verbs=("complete",))
    create_tasks(alice, "beer", verbs=("delete",))

    page = superuser.get(f"{TASKS}?{query}")

    assert {*options_of(page, "action").values()} == {"", "export", *actions}


def test_an_action_for_which_no_selected_row_qualifies_is_not_offered(superuser, alice):
    tasks = create_tasks(alice, "milk", "bread")

    page = run_action(superuser, TASKS, "purge", tasks, confirm=False)

    assert messages_on(page) == ["Nothing was changed. None of the 2 tasks is in the trash."]
