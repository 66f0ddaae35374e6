"""Two people change an object at the same time: the second one sees what changed and loses nothing."""

import pytest

from tasks.models import Project, Task
from tests.support.admin_client import LABELS, PROJECTS, TASKS, form_of, options_of
from tests.support.repeating import repeating
from tests.support.tasks import create, create_task


def open_page(client, path):
    """The values that a browser would send unchanged."""
    page = client.get(path)
    form = page.context["adminform"].form
    values = {name: value for name, value in form_of(page).items() if not name.startswith("_")}
    chosen = {name: form.initial.get(name) or "" for name in ("description", "priority", "project", "parent")}
    labels = {"labels": form.initial["labels"]} if "labels" in form.initial else {}
    repeat = (
        {"repeat_1": (form.initial["repeat"] or {"from": "due"})["from"]} if "repeat" in form.initial else {}
    )
    return {**values, **chosen, "priority": form.initial.get("priority", 0), **labels, **repeat}


def conflicts_on(page):
    form = page.context["adminform"].form
    return {each.label: (each.before, each.after, each.entered) for each in form.conflicts}


def path_of(task):
    return f"{TASKS}{task['id']}/change/"


@pytest.fixture
def milk(as_alice):
    return create_task(as_alice, "Buy milk", due_date="2027-01-31")


def test_a_conflict_shows_what_changed_and_keeps_what_was_entered(superuser, as_alice, milk):
    opened = open_page(superuser, path_of(milk))
    as_alice("patch", f"/tasks/{milk['id']}", {"title": "Buy oat milk", "priority": 3})

    page = superuser.post(path_of(milk), {**opened, "description": "Two bottles"})

    assert conflicts_on(page) == {
        "Title": ("Buy milk", "Buy oat milk", ""),
        "Priority": ("None", "High", ""),
    }
    text = page.content.decode()
    assert "Your changes were not saved because someone else changed this task." in text
    assert "<td>Buy oat milk</td>" in text
    assert Task.objects.get().description == ""

    again = form_of(page)
    assert again["title"] == "Buy oat milk"
    assert "Two bottles</textarea>" in text
    saved = superuser.post(path_of(milk), {**opened, **again, "description": "Two bottles", "priority": 3})
    assert saved.status_code == 302
    task = as_alice("get", f"/tasks/{milk['id']}").json()
    assert (task["title"], task["description"], task["priority"]) == ("Buy oat milk", "Two bottles", 3)


def test_two_changes_of_one_field_are_shown_side_by_side(superuser, as_alice, milk):
    opened = open_page(superuser, path_of(milk))
    as_alice("patch", f"/tasks/{milk['id']}", {"title": "theirs"})

    page = superuser.post(path_of(milk), {**opened, "title": "mine"})

    assert conflicts_on(page) == {"Title": ("Buy milk", "theirs", "mine")}
    assert form_of(page)["title"] == "mine"
    assert "<h2>theirs</h2>" in page.content.decode()


def test_names_dates_and_rules_are_shown_in_words(superuser, as_alice):
    task = repeating(as_alice, repeat={"rule": "FREQ=DAILY"}, due_date="2999-01-31")
    garden = create(as_alice, "/projects", name="Garden")["id"]
    errand, urgent = (create(as_alice, "/labels", name=name)["id"] for name in ("errand", "urgent"))
    as_alice("patch", f"/tasks/{task['id']}", {"labels": [errand]})
    opened = open_page(superuser, path_of(task))
    changes = {
        "project": garden, "labels": [errand, urgent], "repeat": {"rule": "FREQ=WEEKLY", "from": "due"},
        "due_date": "2999-02-01",
    }  # fmt: skip
    as_alice("patch", f"/tasks/{task['id']}", changes)

    page = superuser.post(path_of(task), {**opened, "title": "mine"})

    assert conflicts_on(page) == {
        "Project": ("–", "Garden", ""),
        "Labels": ("errand", "errand, urgent", ""),
        "Due date": ("2999-01-31", "2999-02-01", ""),
        "Repeat": ("every day", "every Friday", ""),
    }
    selected = page.context["adminform"].form
    assert sorted(map(str, selected["labels"].value())) == sorted([errand, urgent])
    assert options_of(page, "project")["Garden"] == garden


@pytest.mark.parametrize(("kind", "path"), [("projects", PROJECTS), ("labels", LABELS)])
def test_projects_and_labels_have_the_same_protection(superuser, as_alice, kind, path):
    each = create(as_alice, f"/{kind}", name="Garden", color="#2e8b57")
    page = f"{path}{each['id']}/change/"
    opened = open_page(superuser, page)
    as_alice("patch", f"/{kind}/{each['id']}", {"color": "#ff8c00"})

    refused = superuser.post(page, {**opened, "name": "Roses"})

    assert conflicts_on(refused) == {"Color": ("#2e8b57", "#ff8c00", "")}
    assert (form_of(refused)["name"], form_of(refused)["color"]) == ("Roses", "#ff8c00")


@pytest.mark.parametrize("seen", ["", "x", "e30:1tKxxx:forged"])
def test_a_form_with_invalid_hidden_values_is_not_saved(superuser, as_alice, milk, seen):
    opened = open_page(superuser, path_of(milk))
    as_alice("patch", f"/tasks/{milk['id']}", {"title": "theirs"})

    page = superuser.post(path_of(milk), {**opened, "title": "mine", "seen_values": seen})

    assert page.status_code == 200
    assert Task.objects.get().title == "theirs"


def test_a_heading_shows_the_stored_name_and_not_one_that_was_refused(superuser, as_alice):
    garden = create(as_alice, "/projects", name="Garden")
    page = f"{PROJECTS}{garden['id']}/change/"

    refused = superuser.post(page, {**open_page(superuser, page), "name": "Roses", "color": "red"})

    assert "<h2>Garden</h2>" in refused.content.decode()
    assert Project.objects.get().name == "Garden"
