"""dry_run=true gives the response of the real request and changes nothing."""

import json
from typing import Any

import pytest

from tasks.ledger.models import Clock, Tombstone
from tasks.models import Label, Project, Task, TaskLabel
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.routes import methods_of, patterns
from tests.support.tasks import create_task, trashed
from todo_project import urls
from todo_project.api.parameters import DryRunParameters
from todo_project.models import IdempotencyKey

WRITES = [
    ("post", "/tasks", {"title": "bread"}),
    ("put", "/tasks/{live}", {"title": "bread"}),
    ("patch", "/tasks/{live}", {"title": "bread"}),
    ("delete", "/tasks/{live}", None),
    ("post", "/tasks/{live}/complete", None),
    ("post", "/tasks/{live}/reopen", None),
    ("post", "/tasks/{live}/move", {"project": "{project}", "after": None}),
    ("post", "/tasks/{repeating}/skip", {"due_date": "2999-01-01"}),
    ("post", "/projects", {"name": "Home", "parent": "{project}"}),
    ("put", "/projects/{project}", {"name": "Home"}),
    ("patch", "/projects/{project}", {"color": "#1e90ff"}),
    ("delete", "/projects/{project}", None),
    ("post", "/projects/{project}/archive", None),
    ("post", "/projects/{project}/unarchive", None),
    ("post", "/projects/{project}/move", {"before": None}),
    ("post", "/labels", {"name": "errand"}),
    ("put", "/labels/{label}", {"name": "errand"}),
    ("patch", "/labels/{label}", {"color": "#1e90ff"}),
    ("delete", "/labels/{label}", None),
    ("post", "/bulk", {"operations": [{"op": "create", "data": {"title": "bread"}}]}),
    ("post", "/trash/{trashed}/restore", None),
    ("delete", "/trash/{trashed}", None),
    ("delete", "/trash", None),
]


def rows():
    models = (Task, Project, Label, TaskLabel, Clock, Tombstone, IdempotencyKey)
    return [list(model.objects.order_by("pk").values()) for model in models]


def comparable(response):
    """Without what differs between two requests: new ids and the times of the change."""
    body = response.json()
    task = body.get("results", [body])[0]
    return response.status_code, {
        name: value for name, value in task.items() if name not in {"id", "created_at"} and name[-3:] != "_at"
    }


def test_every_write_of_tasks_can_be_tried():
    writes = {
        (method, route)
        for route, view in patterns(urls.urlpatterns)
        if view.__module__ in {"tasks.views", "tasks.ledger.views"} and "users/" not in route
        for method in methods_of(view)
        if method != "GET"
        and issubclass(getattr(view.cls, view.actions[method.lower()]).endpoint.parameters, DryRunParameters)
    }

    assert len(writes) == len(WRITES)


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=lambda value: str(value)[:30])
def test_a_dry_run_answers_like_the_write_and_changes_nothing(as_alice, method, path, body):
    project = as_alice("post", "/projects", {"name": "Garden"}).json()["id"]
    label = as_alice("post", "/labels", {"name": "urgent"}).json()["id"]
    live = create_task(as_alice, project=project, labels=[label])["id"]
    repeat = {"rule": "FREQ=DAILY", "from": "due"}
    repeating = create_task(as_alice, due_date="2999-01-01", repeat=repeat)["id"]
    path = path.format(
        repeating=repeating, live=live, project=project, label=label, trashed=trashed(as_alice)["id"]
    )
    body = json.loads(json.dumps(body).replace("{project}", project))
    before, etag = rows(), as_alice("get", "/tasks")["ETag"]
    tried = as_alice(method, f"{path}?dry_run=true", body, **{"Idempotency-Key": "k"})

    assert tried["Dry-Run"] == "true"
    assert rows() == before
    assert as_alice("get", "/tasks")["ETag"] == etag
    done = as_alice(method, path, body)
    assert "Dry-Run" not in done
    assert comparable(tried) == comparable(done)


def test_a_dry_run_has_the_same_errors(as_alice, task):
    assert_error(as_alice("post", f"/tasks/{UNKNOWN_ID}/complete?dry_run=true"), 404, "NOT_FOUND")
    assert_error(as_alice("post", "/tasks?dry_run=true", {"title": ""}), 400, "VALIDATION_ERROR")
    stale = as_alice("delete", f"/tasks/{task['id']}?dry_run=true", **{"If-Match": '"99"'})
    assert_error(stale, 412, "PRECONDITION_FAILED")
    long_key = as_alice("post", "/tasks?dry_run=true", {"title": "milk"}, **{"Idempotency-Key": "k" * 256})
    assert_error(long_key, 400, "VALIDATION_ERROR", field="Idempotency-Key")


def test_dry_run_false_performs_the_write(as_alice):
    assert as_alice("post", "/tasks?dry_run=false", {"title": "milk"}).status_code == 201
    assert Task.objects.count() == 1


@pytest.mark.parametrize(("method", "path"), [("get", "/tasks"), ("post", "/auth/logout"), ("delete", "/me")])
def test_other_requests_reject_dry_run(as_alice, method, path):
    body: Any = None if method == "get" else {}
    response = as_alice(method, f"{path}?dry_run=true", body)

    assert_error(response, 400, "VALIDATION_ERROR", field="dry_run")
