"""Repeating tasks in the admin."""

import csv

import pytest

from tasks.models import Task
from tests.support.admin_client import TASKS, form_of, messages_on, run_action, staff_client
from tests.support.repeating import next_of, open_occurrences, post, repeating


def page_of(client, task):
    response = client.get(f"{TASKS}{task['id']}/change/")
    assert response.status_code == 200
    return response


def save(client, task, **changes):
    """Send the form of a task's page with these changes."""
    page = page_of(client, task)
    form = page.context["adminform"].form
    values = {name: value for name, value in form_of(page).items() if not name.startswith("_")}
    values |= {"description": task["description"], "priority": "0", "project": "", "parent": ""}
    values["repeat_1"] = (task["repeat"] or {"from": "due"})["from"]
    assert form.fields.keys() >= {"repeat"}
    return client.post(f"{TASKS}{task['id']}/change/", {**values, **changes}, follow=True)


@pytest.mark.parametrize("role", ["superuser", "Support"])
def test_the_page_shows_the_rule_in_words_and_the_next_days(as_alice, role):
    task = repeating(as_alice, repeat={"rule": "FREQ=WEEKLY;BYDAY=MO,TH"})
    page = page_of(staff_client(role), task).content.decode()

    assert "Every Monday and Thursday. Next: 2999-02-04, 2999-02-07, 2999-02-11." in page


def test_times_are_shown_as_days_in_the_zone_of_the_task(as_alice, superuser):
    times = {"due_at": "2999-01-31T12:00:00Z", "due_zone": "Pacific/Kiritimati"}
    task = repeating(as_alice, due_date=None, **times)

    assert "Every day. Next: 2999-02-02, 2999-02-03, 2999-02-04." in page_of(superuser, task).content.decode()


def test_the_last_occurrence_is_named(as_alice, superuser):
    task = repeating(as_alice, repeat={"rule": "FREQ=DAILY;COUNT=1"})

    assert "Every day, once. The last one." in page_of(superuser, task).content.decode()


def test_staff_change_the_rule_and_where_it_begins(as_alice, superuser):
    task = repeating(as_alice)
    save(superuser, task, repeat_0="freq=monthly", repeat_1="completion")

    changed = as_alice("get", f"/tasks/{task['id']}").json()
    assert changed["repeat"] == {"rule": "FREQ=MONTHLY", "from": "completion", "anchor": "2999-01-31"}


def test_moving_an_occurrence_keeps_the_anchor(as_alice, superuser):
    task = repeating(as_alice)
    save(superuser, task, due_date="2999-02-03")

    changed = as_alice("get", f"/tasks/{task['id']}").json()
    assert (changed["due_date"], changed["repeat"]) == ("2999-02-03", task["repeat"])


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"repeat_0": "FREQ=DAILY;INTERVAL=0"}, "repeat", "INTERVAL must be from 1 to 999."),
        ({"repeat_0": "FREQ=DAILY;UNTIL=20250101"}, "repeat", "UNTIL must not be before the due day."),
        ({"repeat_0": "x" * 101}, "repeat", "100"),
        ({"repeat_1": "start"}, "repeat", "valid choice"),
        ({"due_date": ""}, "__all__", "A repeating task needs due_date or due_at."),
    ],
)
def test_an_error_is_shown_at_the_field(as_alice, superuser, changes, field, words):
    task = repeating(as_alice)
    page = save(superuser, task, **changes)

    errors = page.context["adminform"].form.errors
    assert [*errors] == [field]
    assert words in str(errors[field])
    assert as_alice("get", f"/tasks/{task['id']}").json() == task


def test_completing_on_the_page_creates_the_next_occurrence(as_alice, superuser):
    task = repeating(as_alice)
    save(superuser, task, completed="on")

    assert next_of(as_alice, task)["due_date"] == "2999-02-01"


def test_reopening_by_an_action_takes_the_next_occurrence_back(as_alice, superuser):
    task = repeating(as_alice)
    post(as_alice, task, "complete")
    page = run_action(superuser, TASKS, "reopen", Task.objects.filter(pk=task["id"]))

    assert "reopened" in messages_on(page)[0]
    assert open_occurrences(as_alice, task)[0]["repeat"] == task["repeat"]


def test_a_csv_file_has_the_rule(as_alice, superuser):
    task = repeating(as_alice, repeat={"rule": "FREQ=WEEKLY;BYDAY=MO,TH"})
    response = run_action(superuser, TASKS, "export", Task.objects.filter(pk=task["id"]))
    [row] = csv.DictReader(b"".join(response.streaming_content).decode().splitlines())

    assert "FREQ=WEEKLY;BYDAY=MO,TH" in row["repeat"]
    assert row["series"] == task["id"]
