"""Stored responses of tasks: large ones, and those of tasks that have been deleted permanently."""

import pytest

from tasks.models import Task
from tests.support.admin_client import TASKS, run_action
from tests.support.assertions import assert_error
from tests.support.commands import purge
from tests.support.tasks import create_task
from todo_project.models import IdempotencyKey, IdempotencyUsage

LONG = "long " * 900


def post(caller, path, body=None, key="key-1"):
    response = caller("post", path, body, **{"Idempotency-Key": key})
    assert response.status_code in {200, 201}
    return response


def creations(*titles, **fields):
    return {"operations": [{"op": "create", "data": {"title": title, **fields}} for title in titles]}


LARGE = creations(*(str(number) for number in range(20)), description=LONG)


def test_a_repeated_small_bulk_request_gets_the_first_response_though_a_task_has_changed(as_alice):
    body = creations("milk", "bread")
    first = post(as_alice, "/bulk", body)
    as_alice("patch", f"/tasks/{first.json()['results'][0]['id']}", {"title": "beer"})

    assert post(as_alice, "/bulk", body).content == first.content


def test_a_repeated_large_bulk_request_gets_the_first_response_if_no_task_has_changed(as_alice):
    first = post(as_alice, "/bulk", LARGE)
    assert len(first.content) > 64 * 1024
    again = post(as_alice, "/bulk", LARGE)

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert IdempotencyUsage.objects.get().size < 3000
    assert Task.objects.count() == 20


def test_of_a_task_that_has_changed_since_a_large_response_has_only_the_id_and_version_of_then(as_alice):
    first = post(as_alice, "/bulk", LARGE).json()["results"]
    changed = first[3]
    as_alice("patch", f"/tasks/{changed['id']}", {"title": "beer"})
    results = post(as_alice, "/bulk", LARGE).json()["results"]

    assert results[3] == {"kind": "task", "id": changed["id"], "version": changed["version"]}
    assert [*results[:3], *results[4:]] == [*first[:3], *first[4:]]


def trash_and_purge_one(caller, task):
    caller("delete", f"/tasks/{task}")
    assert caller("delete", f"/trash/{task}").status_code == 200


def trash_and_empty(caller, task):
    caller("delete", f"/tasks/{task}")
    assert caller("delete", "/trash").json() == {"purged": 1}


def trash_and_run_command(caller, task):
    caller("delete", f"/tasks/{task}")
    assert purge("--only", "trash", "--trash-days", "0")[0] == "trash: 1 deleted"


PURGES = [trash_and_purge_one, trash_and_empty, trash_and_run_command]


@pytest.mark.parametrize("purge_task", PURGES)
def test_deleting_a_task_permanently_removes_it_from_stored_responses(as_alice, as_bob, purge_task):
    body = {"title": "a secret", "description": "known to few"}
    response = post(as_alice, "/tasks", body)
    task = response.json()
    post(as_alice, f"/tasks/{task['id']}/complete", key="key-2")
    post(as_bob, "/tasks", {"title": "of Bob"})
    other = post(as_alice, "/tasks", {"title": "kept"}, "key-3")
    purge_task(as_alice, task["id"])

    stored = " ".join(IdempotencyKey.objects.values_list("body", flat=True))
    assert "secret" not in stored
    assert "few" not in stored
    assert "of Bob" in stored
    again = post(as_alice, "/tasks", body)
    assert again.json() == {"id": task["id"], "version": task["version"]}
    assert again["ETag"] == response["ETag"]
    assert post(as_alice, "/tasks", {"title": "kept"}, "key-3").content == other.content
    assert Task.objects.count() == 2
    assert IdempotencyUsage.objects.get(owner=task["user_id"]).size == sum(
        len(body)
        for body in IdempotencyKey.objects.filter(owner=task["user_id"]).values_list("body", flat=True)
    )


@pytest.mark.parametrize("purge_task", PURGES)
def test_other_tasks_of_a_bulk_request_are_repeated_as_they_were(as_alice, purge_task):
    body = creations("a secret", "kept", "changed")
    first = post(as_alice, "/bulk", body).json()["results"]
    as_alice("patch", f"/tasks/{first[2]['id']}", {"title": "new"})
    purge_task(as_alice, first[0]["id"])

    assert not IdempotencyKey.objects.filter(body__contains="secret").exists()
    results = post(as_alice, "/bulk", body).json()["results"]
    reduced = [{name: task[name] for name in ("kind", "id", "version")} for task in first]
    assert results == [reduced[0], first[1], reduced[2]]


def test_staff_remove_a_task_from_stored_responses_too(as_alice, as_bob, superuser):
    for number, caller in enumerate((as_alice, as_bob)):
        task = post(caller, "/tasks", {"title": "a secret"}, f"key-{number}").json()
        post(caller, "/tasks", {"title": "kept"}, "another")
        caller("delete", f"/tasks/{task['id']}")
    run_action(superuser, TASKS, "purge", Task.objects.filter(deleted_at__isnull=False))

    assert Task.objects.count() == 2
    assert not IdempotencyKey.objects.filter(body__contains="secret").exists()
    assert IdempotencyKey.objects.filter(body__contains="kept").count() == 2


def test_an_id_in_another_users_response_is_left_alone(as_alice, as_bob):
    task = create_task(as_alice)
    post(as_bob, "/tasks", {"title": task["id"]})
    trash_and_purge_one(as_alice, task["id"])

    assert IdempotencyKey.objects.filter(body__contains=task["id"]).exists()


def test_one_key_for_two_urls_or_two_versions_is_refused(as_alice):
    milk, bread = create_task(as_alice, "milk"), create_task(as_alice, "bread")
    headers = {"Idempotency-Key": "key-1"}
    complete, reopen = (f"/tasks/{milk['id']}/{verb}" for verb in ("complete", "reopen"))
    first = as_alice("post", complete, **headers)

    for path in (reopen, f"/tasks/{bread['id']}/complete"):
        assert_error(as_alice("post", path, **headers), 422, "IDEMPOTENCY_KEY_REUSED")
    for version in (milk["version"], first.json()["version"]):
        response = as_alice("post", complete, **headers, **{"If-Match": f'"{version}"'})
        assert_error(response, 422, "IDEMPOTENCY_KEY_REUSED")
    assert as_alice("post", complete, **headers).content == first.content
