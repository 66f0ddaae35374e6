"""The admin's lists of tasks, projects and labels: what they show, their filters, and their actions."""

import csv
import json

import pytest
from django.contrib.admin.models import LogEntry

from tasks.models import Project, Task
from tests.support.admin_client import (
    LABELS,
    PROJECTS,
    TASKS,
    USERS,
    messages_on,
    options_of,
    rows_of,
    run_action,
    staff_client,
)
from tests.support.tasks import create, create_task

DAILY = {"due_date": "2027-01-28", "repeat": {"rule": "FREQ=DAILY", "from": "due"}}


@pytest.fixture
def garden(as_alice):
    return create(as_alice, "/projects", name="Garden", color="#2e8b57")


@pytest.fixture
def errand(as_alice):
    return create(as_alice, "/labels", name="errand")


@pytest.fixture
def world(as_alice, as_bob, alice, bob, garden, errand):
    """Alice's tasks in and outside a project, and Bob's."""
    roses = create(as_alice, "/projects", name="Roses", parent=garden["id"])
    water = create_task(as_alice, "water", project=garden["id"], labels=[errand["id"]])
    can = create_task(as_alice, "can", parent=water["id"])
    milk = create_task(as_alice, "milk", labels=[errand["id"]])
    create_task(as_bob, "beer")
    return {
        "alice": alice.pk, "bob": bob.pk, "garden": garden["id"], "roses": roses["id"],
        "errand": errand["id"],
        "water": water["id"], "can": can["id"], "milk": milk["id"],
    }  # fmt: skip


def titles(page):
    return sorted(str(row) for row in rows_of(page))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"{TASKS}?owner={{alice}}", ["can", "milk", "water"]),
        (f"{TASKS}?owner={{alice}}&project={{garden}}", ["can", "water"]),
        (f"{TASKS}?owner={{alice}}&project=none", ["milk"]),
        (f"{TASKS}?owner={{alice}}&project={{garden}}&level=top", ["water"]),
        (f"{TASKS}?owner={{alice}}&label={{errand}}", ["milk", "water"]),
        (f"{TASKS}?owner={{alice}}&label=none", ["can"]),
        (f"{TASKS}?owner={{alice}}&project={{garden}}&label={{errand}}&state=open", ["water"]),
        (f"{TASKS}?owner={{bob}}&project={{garden}}", []),
        (f"{TASKS}?owner={{bob}}&label={{errand}}", []),
        (f"{TASKS}?level=top", ["beer", "milk", "water"]),
        (f"{PROJECTS}", ["Garden", "Roses"]),
        (f"{PROJECTS}?owner={{bob}}", []),
        (f"{PROJECTS}?state=active", ["Garden", "Roses"]),
        (f"{PROJECTS}?state=archived", []),
        (f"{PROJECTS}?state=trashed", []),
        (f"{PROJECTS}?q=gard", ["Garden"]),
        (f"{PROJECTS}?q=alice@example.com", ["Garden", "Roses"]),
        (f"{PROJECTS}?q={{roses}}", ["Roses"]),
        (f"{LABELS}?q=ERRA", ["errand"]),
        (f"{LABELS}?owner={{bob}}", []),
    ],
)
def test_objects_are_found(superuser, world, query, found):
    assert titles(superuser.get(query.format(**world))) == found


@pytest.mark.parametrize(
    "query", ["project={garden}", "label={errand}", "owner={alice}&project=x", "owner={alice}&label=x"]
)
def test_a_filter_by_a_reference_needs_an_owner_and_an_id(superuser, world, query):
    response = superuser.get(f"{TASKS}?{query.format(**world)}")

    assert response.status_code == 302
    assert response["Location"].endswith("?e=1")


def test_projects_and_labels_are_filters_once_an_owner_is_selected(superuser, world):
    def offered(query):
        page = superuser.get(f"{TASKS}?{query}")
        return {
            spec.title: [str(label) for _, label in spec.lookup_choices]
            for spec in page.context["cl"].filter_specs
            if spec.title in {"project", "label"}
        }

    assert offered("") == {}
    assert offered(f"owner={world['alice']}") == {
        "project": ["No project", "Garden", "Roses"], "label": ["No label", "errand"],
    }  # fmt: skip
    assert offered(f"owner={world['bob']}") == {"project": ["No project"], "label": ["No label"]}


def test_the_list_of_tasks_links_projects_and_labels_to_their_tasks(superuser, world):
    page = superuser.get(TASKS).content.decode()

    assert f'<a href="{TASKS}?owner={world["alice"]}&amp;project={world["garden"]}">Garden</a>' in page
    assert f'<a href="{TASKS}?owner={world["alice"]}&amp;label={world["errand"]}">errand</a>' in page


@pytest.mark.parametrize(
    ("path", "state", "column"),
    [(TASKS, "open", "created_at"), (TASKS, "completed", "completed_at"), (TASKS, "trashed", "deleted_at"),
     (PROJECTS, "archived", "archived_at"), (PROJECTS, "trashed", "deleted_at")],
)  # fmt: skip
def test_a_list_shows_the_time_of_the_selected_state(superuser, path, state, column):
    assert superuser.get(f"{path}?state={state}").context["cl"].list_display[-1] == column


def test_lists_show_the_number_of_tasks_including_the_trash(superuser, as_alice, world):
    as_alice("delete", f"/tasks/{world['water']}")

    projects, labels = superuser.get(PROJECTS), superuser.get(LABELS)

    assert {str(row): row.task_count for row in rows_of(projects)} == {"Garden": 2, "Roses": 0}
    link = f'<a href="{TASKS}?owner={world["alice"]}&amp;project={world["garden"]}">2</a>'
    assert link in projects.content.decode()
    assert [row.task_count for row in rows_of(labels)] == [2]


@pytest.mark.parametrize("role", ["Support", "Moderator"])
def test_a_page_that_cannot_be_changed_shows_names_and_words(as_alice, world, role):
    as_alice("patch", f"/tasks/{world['milk']}", DAILY)
    if role == "Moderator":
        as_alice("delete", f"/tasks/{world['milk']}")
    page = staff_client(role).get(f"{TASKS}{world['milk']}/change/").content.decode()

    assert ">errand</a>" in page
    assert "Every day." in page
    assert "UUID(" not in page


def sync(caller):
    return caller("get", "/sync?limit=500").json()["changes"]


def read(caller, path):
    return caller("get", path).json()


@pytest.mark.parametrize(("choice", "name"), [("{roses}", "Roses"), ("none", "Inbox (no project)")])
def test_tasks_are_moved_to_a_project_with_their_subtasks(superuser, as_alice, world, choice, name):
    tasks = Task.objects.filter(owner=world["alice"])
    choice = choice.format(**world)

    page = run_action(superuser, TASKS, "move", tasks, project=choice)

    changed = 1 if choice == "none" else 2
    assert messages_on(page) == [
        f"{changed} task{'s' if changed > 1 else ''} moved to {name}. "
        f"{3 - changed} {'were' if changed == 1 else 'was'} left unchanged."
    ]
    moved = {each["title"]: (each["project"], each["parent"]) for each in read(as_alice, "/tasks")["results"]}
    project = None if choice == "none" else choice
    assert moved == {"water": (project, None), "can": (project, world["water"]), "milk": (project, None)}
    assert {*LogEntry.objects.values_list("object_repr", "change_message")} == {
        (title, f"Moved to {name}.") for title in (["water"] if choice == "none" else ["water", "milk"])
    }


def test_a_label_is_added_and_removed(superuser, as_alice, world):
    urgent = create(as_alice, "/labels", name="urgent")["id"]
    tasks = Task.objects.filter(owner=world["alice"])

    page = run_action(superuser, TASKS, "add_label", tasks, label=urgent)
    assert messages_on(page) == ["3 tasks labelled urgent."]
    assert len(read(as_alice, f"/tasks?label={urgent}&label={world['errand']}")["results"]) == 2
    page = run_action(superuser, TASKS, "remove_label", tasks, label=world["errand"])
    assert messages_on(page) == ["2 tasks no longer labelled errand. 1 was left unchanged."]
    assert read(as_alice, f"/tasks?label={world['errand']}")["results"] == []


@pytest.mark.parametrize("action", ["move", "add_label"])
def test_an_action_with_a_choice_takes_rows_of_one_owner(superuser, world, action):
    page = run_action(superuser, TASKS, action, Task.objects.all(), confirm=False)

    assert messages_on(page) == ["Nothing was changed. Select rows of one owner."]


def test_only_objects_of_the_owner_can_be_chosen(superuser, as_alice, as_bob, world):
    cellar = create(as_bob, "/projects", name="Cellar")["id"]
    archived = create(as_alice, "/projects", name="Archived")["id"]
    as_alice("post", f"/projects/{archived}/archive")
    tasks, before = Task.objects.filter(pk=world["milk"]), sync(as_alice)

    offered = options_of(run_action(superuser, TASKS, "move", tasks, confirm=False), "project")
    assert offered == {
        "---------": "", "Inbox (no project)": "none", "Garden": world["garden"], "Roses": world["roses"],
    }  # fmt: skip
    for project in (cellar, archived, "x", "", "\0"):
        page = run_action(superuser, TASKS, "move", tasks, project=project)
        assert b'<ul class="errorlist"' in page.content, project
    assert sync(as_alice) == before


def test_too_many_labels_are_a_message_and_change_nothing(superuser, as_alice, world, settings):
    settings.QUOTA_LABELS_PER_TASK = 1
    urgent = create(as_alice, "/labels", name="urgent")["id"]
    before = sync(as_alice)

    page = run_action(superuser, TASKS, "add_label", Task.objects.filter(owner=world["alice"]), label=urgent)

    assert messages_on(page) == ["Nothing was changed. A task can have at most 1 labels."]
    assert sync(as_alice) == before


def confirmation(client, path, action, rows):
    return run_action(client, path, action, rows, confirm=False).content.decode()


def project(key):
    return Project.objects.filter(pk=key)


def test_a_confirmation_counts_what_is_in_the_selected_objects(superuser, as_alice, world):
    garden = project(world["garden"])
    tasks = Task.objects.filter(pk=world["water"])

    assert "Also affected: 1 project and 2 tasks." in confirmation(superuser, PROJECTS, "trash", garden)
    assert "Also affected: 1 project." in confirmation(superuser, PROJECTS, "archive", garden)
    assert "Also affected: 1 task." in confirmation(superuser, TASKS, "complete", tasks)
    assert "Also affected: 1 task." in confirmation(superuser, TASKS, "move", tasks)
    everything = Task.objects.filter(owner=world["alice"])
    assert "Also affected" not in confirmation(superuser, TASKS, "complete", everything)
    for path, action, rows in [
        (PROJECTS, "restore", garden), (PROJECTS, "purge", garden), (PROJECTS, "unarchive", garden),
        (TASKS, "reopen", tasks), (TASKS, "restore", tasks), (TASKS, "add_label", tasks),
    ]:  # fmt: skip
        assert "Also affected" not in confirmation(superuser, path, action, rows), action


def test_a_confirmation_counts_what_changed_along_with_the_selected_objects(superuser, as_alice, world):
    tasks = Task.objects.filter(pk=world["can"])
    as_alice("post", f"/tasks/{world['water']}/complete")
    assert "Also affected: 1 task." in confirmation(superuser, TASKS, "reopen", tasks)
    as_alice("post", f"/projects/{world['garden']}/archive")
    assert "Also affected: 1 project." in confirmation(
        superuser, PROJECTS, "unarchive", project(world["roses"])
    )
    as_alice("delete", f"/tasks/{world['can']}")
    as_alice("delete", f"/projects/{world['garden']}")
    garden = project(world["garden"])
    assert "Also affected: 1 project and 1 task." in confirmation(superuser, PROJECTS, "restore", garden)
    assert "Also affected: 1 project and 2 tasks." in confirmation(superuser, PROJECTS, "purge", garden)


def test_projects_are_archived_trashed_restored_and_purged_with_what_is_in_them(superuser, as_alice, world):
    garden = project(world["garden"])
    for action, message, states in [
        ("archive", "1 project archived.", {"Garden": "archived", "Roses": "archived"}),
        ("unarchive", "1 project unarchived.", {"Garden": "active", "Roses": "active"}),
        ("trash", "1 project moved to the trash.", {"Garden": "in the trash", "Roses": "in the trash"}),
        ("restore", "1 project restored from the trash.", {"Garden": "active", "Roses": "active"}),
        ("trash", "1 project moved to the trash.", {"Garden": "in the trash", "Roses": "in the trash"}),
        ("purge", "1 project deleted permanently.", {}),
    ]:
        assert messages_on(run_action(superuser, PROJECTS, action, garden)) == [message]
        page = superuser.get(PROJECTS)
        model_admin = page.context["cl"].model_admin
        assert {str(row): model_admin.state(row) for row in rows_of(page)} == states
    assert [each["title"] for each in read(as_alice, "/tasks")["results"]] == ["milk"]
    purged = {each["id"] for each in sync(as_alice) if each.get("purged")}
    assert purged == {world["garden"], world["roses"], world["water"], world["can"]}


def test_the_page_to_delete_a_project_counts_what_is_in_it(superuser, as_alice, world):
    as_alice("delete", f"/projects/{world['garden']}")
    page = superuser.get(f"{PROJECTS}{world['garden']}/delete/").content.decode()

    assert "<li>Project: 1</li>" in page
    assert "<li>Projects in it: 1</li>" in page
    assert "<li>Tasks in it: 2</li>" in page


def test_a_deleted_label_is_removed_from_its_tasks(superuser, as_alice, world):
    url = f"{LABELS}{world['errand']}/delete/"
    assert "<li>Tasks that lose it: 2</li>" in superuser.get(url).content.decode()

    superuser.post(url, {"post": "yes"})

    assert read(as_alice, f"/tasks/{world['milk']}")["labels"] == []


def test_a_csv_file_of_tasks_has_the_ids_of_project_and_labels_and_the_rule(superuser, as_alice, world):
    urgent = create(as_alice, "/labels", name="urgent")["id"]
    as_alice("patch", f"/tasks/{world['water']}", {"add_labels": [urgent], **DAILY})
    response = run_action(superuser, TASKS, "export", Task.objects.filter(pk=world["water"]))
    [exported] = csv.DictReader(b"".join(response.streaming_content).decode("utf-8-sig").splitlines())

    assert exported["project"] == world["garden"]
    assert json.loads(exported["repeat"])["rule"] == "FREQ=DAILY"
    assert exported["labels"] == " ".join(sorted([urgent, world["errand"]]))


def test_the_user_page_shows_the_latest_projects_and_labels(superuser, world):
    page = superuser.get(f"{USERS}{world['alice']}/change/").content.decode()

    assert f'href="{PROJECTS}{world["roses"]}/change/"' in page
    assert f'href="{LABELS}?owner={world["alice"]}"' in page
