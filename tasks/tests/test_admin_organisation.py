"""Staff change where a task is: its project, its parent and its labels, and those of its owner only."""

from collections.abc import Mapping
from typing import Any

import pytest

from tasks.models import Label, Project, Task
from tests.support.admin_client import LABELS, PROJECTS, TASKS, form_of, messages_on, options_of
from tests.support.tasks import create, create_task


@pytest.fixture
def garden(as_alice):
    return create(as_alice, "/projects", name="Garden")


@pytest.fixture
def errand(as_alice):
    return create(as_alice, "/labels", name="errand")


def save(client: Any, path: str, each: Mapping[str, Any], **changes: Any) -> Any:
    """Send the form of an object with these changes."""
    url = f"{path}{each['id']}/change/"
    form = form_of(client.get(url))
    names = each.keys() & {"priority", "project", "parent", "labels", "description"}
    shown = {name: "" if each[name] is None else each[name] for name in names}
    return client.post(url, {"repeat_1": "due", **form, **shown, **changes}, follow=True)


def test_a_task_gets_a_project_a_parent_and_labels(superuser, as_alice, garden, errand):
    parent = create_task(as_alice, "parent", project=garden["id"])
    milk = create_task(as_alice, "milk")

    save(superuser, TASKS, milk, parent=parent["id"], labels=[errand["id"]])

    changed = as_alice("get", f"/tasks/{milk['id']}").json()
    assert (changed["project"], changed["parent"], changed["labels"]) == (
        garden["id"], parent["id"], [errand["id"]],
    )  # fmt: skip
    [found] = as_alice("get", f"/tasks?label={errand['id']}").json()["results"]
    assert found == changed


def test_saving_an_unchanged_form_keeps_project_parent_and_labels(superuser, as_alice, garden, errand):
    parent = create_task(as_alice, "parent", project=garden["id"])
    milk = create_task(as_alice, "milk", parent=parent["id"], labels=[errand["id"]])

    save(superuser, TASKS, milk)

    assert as_alice("get", f"/tasks/{milk['id']}").json() == milk


def test_the_last_label_is_removed(superuser, as_alice, errand):
    milk = create_task(as_alice, "milk", labels=[errand["id"]])

    save(superuser, TASKS, milk, labels=[])

    assert as_alice("get", f"/tasks/{milk['id']}").json()["labels"] == []
    assert as_alice("get", "/tasks?label=none").json()["results"][0]["id"] == milk["id"]


def test_only_objects_of_the_owner_are_offered(superuser, as_alice, as_bob, garden, errand):
    create(as_bob, "/projects", name="Cellar")
    create(as_bob, "/labels", name="urgent")
    as_alice("delete", f"/projects/{create(as_alice, '/projects', name='Trashed')['id']}")
    milk = create_task(as_alice, "milk")

    page = superuser.get(f"{TASKS}{milk['id']}/change/")

    assert options_of(page, "project") == {"---------": "", "Garden": garden["id"]}
    assert page.content.decode().count('name="labels"') == 1
    assert f'name="labels" value="{errand["id"]}"' in page.content.decode()
    assert options_of(page, "parent") == {}


def autocomplete(client, owner, term=""):
    query = f"term={term}&app_label=tasks&model_name=task&field_name=parent&owner={owner}"
    found = client.get(f"/admin/autocomplete/?{query}").json()["results"]
    return [each["text"] for each in found]


def test_a_parent_is_searched_among_the_tasks_of_the_owner(superuser, as_alice, as_bob, alice):
    for caller, title in ((as_alice, "milk"), (as_alice, "bread"), (as_bob, "milkshake")):
        create_task(caller, title)
    as_alice("delete", f"/tasks/{create_task(as_alice, 'old milk')['id']}")
    page = superuser.get(f"{TASKS}{create_task(as_alice, 'oats')['id']}/change/")

    assert f'data-ajax--url="/admin/autocomplete/?owner={alice.pk}"' in page.content.decode()
    assert autocomplete(superuser, alice.pk, "milk") == ["milk"]
    assert autocomplete(superuser, alice.pk) == ["oats", "bread", "milk"]
    assert autocomplete(superuser, "x") == autocomplete(superuser, "") == []


@pytest.mark.parametrize(
    ("field", "path"), [("project", "/projects"), ("parent", "/tasks"), ("labels", "/labels")]
)
def test_an_object_of_another_user_is_an_error_at_the_field(superuser, as_alice, as_bob, field, path):
    other = create(as_bob, path, **({"title": "x"} if path == "/tasks" else {"name": "x"}))
    milk = create_task(as_alice, "milk")

    for value in (other["id"], "x", "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52", "\0"):
        page = save(superuser, TASKS, milk, **{field: value})
        assert page.context["adminform"].form.errors.keys() == {field}, value
    assert as_alice("get", f"/tasks/{milk['id']}").json() == milk


def errors(page: Any) -> dict[str, list[str]]:
    form = page.context["adminform"].form
    return {name: list(messages) for name, messages in form.errors.items()}


def test_an_error_of_the_operation_is_shown_at_its_field(superuser, as_alice):
    milk = create_task(as_alice, "milk")
    oat_milk = create_task(as_alice, "oat milk", parent=milk["id"])

    page = save(superuser, TASKS, milk, title="mine", parent=oat_milk["id"])

    assert errors(page) == {"parent": ["Parent must not be the task itself or one that is in it."]}
    assert b'value="mine"' in page.content
    assert as_alice("get", f"/tasks/{milk['id']}").json() == milk


def test_an_exceeded_quota_is_an_error_on_the_form(superuser, as_alice, settings):
    settings.QUOTA_LABELS_PER_TASK = 1
    labels = [create(as_alice, "/labels", name=name)["id"] for name in ("errand", "urgent")]
    milk = create_task(as_alice, "milk")

    page = save(superuser, TASKS, milk, labels=labels)

    assert errors(page) == {"__all__": ["A task can have at most 1 labels."]}


def test_a_label_with_the_name_of_another_one_is_an_error_at_the_field(superuser, as_alice, alice, errand):
    page = superuser.post(f"{LABELS}add/", {"owner": str(alice.pk), "name": "Errand", "color": ""})

    assert [*errors(page)] == ["name"]
    assert Label.objects.count() == 1


def test_an_archived_project_is_not_offered_except_to_its_own_tasks(superuser, as_alice, garden):
    inside, outside = create_task(as_alice, "in", project=garden["id"]), create_task(as_alice, "out")
    as_alice("post", f"/projects/{garden['id']}/archive")

    assert "Garden" in options_of(superuser.get(f"{TASKS}{inside['id']}/change/"), "project")
    assert "Garden" not in options_of(superuser.get(f"{TASKS}{outside['id']}/change/"), "project")


def test_staff_add_an_object_and_then_choose_where_it_is(superuser, as_alice, alice, garden):
    owner = {"owner": str(alice.pk)}
    for path, fields in (
        (PROJECTS, {"name": "Roses", "color": "#FF0000", "parent": garden["id"]}),
        (LABELS, {"name": "errand", "color": ""}),
        (TASKS, {"title": "milk", "priority": "0", "project": garden["id"]}),
    ):
        page = superuser.post(f"{path}add/", {**owner, **fields}, follow=True)
        assert len(messages_on(page)) == 1, errors(page)

    roses = Project.objects.get(name="Roses")
    assert (roses.color, roses.parent_id, Label.objects.get().color) == ("#ff0000", None, None)
    assert Task.objects.get().project_id is None
    page = superuser.get(f"{TASKS}add/")
    assert b"Save and continue editing to choose project, parent and labels." in page.content
    save(superuser, PROJECTS, as_alice("get", f"/projects/{roses.pk}").json(), parent=garden["id"])
    assert as_alice("get", f"/projects?parent={garden['id']}").json()["results"][0]["name"] == "Roses"


def test_a_repetition_is_set_and_ended(superuser, as_alice):
    milk = create_task(as_alice, "milk", due_date="2027-01-28")

    save(superuser, TASKS, milk, repeat_0="freq=weekly", repeat_1="due")
    repeating = as_alice("get", f"/tasks/{milk['id']}").json()
    assert repeating["repeat"] == {"rule": "FREQ=WEEKLY;BYDAY=TH", "from": "due", "anchor": "2027-01-28"}
    save(superuser, TASKS, milk, repeat_1="due")
    assert as_alice("get", f"/tasks/{milk['id']}").json() == repeating
    save(superuser, TASKS, milk, repeat_0="", repeat_1="due")
    assert as_alice("get", f"/tasks/{milk['id']}").json()["repeat"] is None


def test_an_invalid_rule_is_an_error_at_the_field(superuser, as_alice):
    milk = create_task(as_alice, "milk", due_date="2027-01-28")

    page = save(superuser, TASKS, milk, repeat_0="FREQ=HOURLY", repeat_1="due")

    assert [*errors(page)] == ["repeat"]
    assert as_alice("get", f"/tasks/{milk['id']}").json() == milk
