"""The quota of tasks: at most QUOTA_TASKS per user, including the trash."""

from collections import Counter

import pytest
from django.core.management import CommandError

from tasks.models import Task
from tests.support.admin_client import TASKS, form_of
from tests.support.assertions import assert_error
from tests.support.commands import purge, run
from tests.support.tasks import create_task, trashed
from tests.support.threads import run_together

TWO = {"quota": "tasks", "limit": 2}


@pytest.fixture
def full(as_alice, settings):
    """Alice has a task and one in the trash, which is all that she can have."""
    settings.QUOTA_TASKS = 2
    return create_task(as_alice, key="milk"), trashed(as_alice)


def creation(title):
    return {"op": "create", "data": {"title": title}}


def test_a_task_above_the_quota_is_refused(full, as_alice, as_bob):
    error = assert_error(as_alice("post", "/tasks", {"title": "beer"}), 409, "QUOTA_EXCEEDED")

    assert error["details"] == TWO
    assert error["message"] == "A user can have at most 2 tasks, including the trash."
    assert Task.objects.count() == 2
    assert create_task(as_bob)["title"] == "milk"


def test_a_bulk_request_above_the_quota_is_refused_as_a_whole(as_alice, settings):
    settings.QUOTA_TASKS = 2
    create_task(as_alice)
    body = {"operations": [creation("one"), creation("two")]}
    error = assert_error(as_alice("post", "/bulk", body), 409, "QUOTA_EXCEEDED")

    assert error["details"] == TWO
    assert Task.objects.count() == 1


def test_a_full_quota_forbids_no_other_change(full, as_alice):
    task, gone = (f"/tasks/{each['id']}" for each in full)
    changes = [
        ("patch", task, {"title": "beer"}),
        ("post", f"{task}/complete", None),
        ("post", gone.replace("tasks", "trash") + "/restore", None),
        ("delete", task, None),
        ("post", "/tasks", {"title": "milk", "key": "milk"}),  # It exists.
        ("post", "/bulk", {"operations": [{"op": "restore", "id": full[0]["id"]}]}),
    ]

    assert {as_alice(*change).status_code for change in changes} == {200}


def test_deleting_a_task_permanently_makes_room_for_another(full, as_alice):
    as_alice("delete", "/trash")
    create_task(as_alice, "beer")
    as_alice("delete", f"/tasks/{full[0]['id']}")
    purge("--only", "trash", "--trash-days", "0")

    assert create_task(as_alice, "bread")["title"] == "bread"


def test_a_lower_quota_forbids_only_new_tasks(full, as_alice, settings):
    settings.QUOTA_TASKS = 1

    assert as_alice("patch", f"/tasks/{full[0]['id']}", {"title": "beer"}).status_code == 200
    assert_error(as_alice("post", "/tasks", {"title": "bread"}), 409, "QUOTA_EXCEEDED")


def test_staff_cannot_exceed_the_quota_of_a_user(full, alice, superuser):
    form = {
        **form_of(superuser.get(f"{TASKS}add/")),
        "owner": str(alice.pk),
        "title": "beer",
        "priority": "0",
    }
    page = superuser.post(f"{TASKS}add/", form, follow=True)

    assert "A user can have at most 2 tasks, including the trash." in page.content.decode()
    assert Task.objects.count() == 2


def test_an_import_above_the_quota_changes_nothing(full, as_alice, alice, settings, tmp_path):
    file = tmp_path / "alice.json"
    run("export_user", alice.email, "--output", file)
    as_alice("delete", "/trash")
    settings.QUOTA_TASKS = 1
    with pytest.raises(CommandError) as failure:
        run("import_user", file, "--into", alice.email)
    assert str(failure.value) == "A user can have at most 1 tasks, including the trash. Nothing was changed."
    assert Task.objects.count() == 1

    settings.QUOTA_TASKS = 2
    run("import_user", file, "--into", alice.email)
    assert Task.objects.count() == 2


def test_checking_the_quota_takes_no_query(as_alice, django_assert_max_num_queries):
    """The budget of a creation as in test_query_budgets, with its savepoint."""
    create_task(as_alice)
    for _ in range(10):
        with django_assert_max_num_queries(3 + 1 + 2):
            create_task(as_alice)


@pytest.mark.usefixtures("each_way_of_writing")
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_do_not_exceed_the_quota(as_alice, settings):
    settings.QUOTA_TASKS = 5
    create_task(as_alice)
    responses = run_together(32, lambda: as_alice("post", "/tasks", {"title": "milk"}))

    assert Counter(response.status_code for response in responses) == {201: 4, 409: 28}
    assert Task.objects.count() == 5
