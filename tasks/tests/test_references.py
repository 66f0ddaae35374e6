"""References to projects, parents, labels and neighbours: one answer for all that is not the owner's."""

import json
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from tasks.ledger.models import Clock, Tombstone
from tasks.models import Label, Project, Task, TaskLabel
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.organisation import create_label, create_project, send
from tests.support.tasks import create_task

BEER, ATTIC = {"title": "beer"}, {"name": "Attic"}
OTHER = "{other}"

# Every field of a body that names other objects, and their kind.
REFERENCES: list[tuple[str, str, Any, str]] = [
    ("post", "/tasks", {**BEER, "project": OTHER}, "project"),
    ("post", "/tasks", {**BEER, "parent": OTHER}, "task"),
    ("post", "/tasks", {**BEER, "labels": [OTHER]}, "label"),
    ("post", "/tasks", {**BEER, "add_labels": [OTHER]}, "label"),
    ("post", "/tasks", {**BEER, "after": OTHER}, "task"),
    ("post", "/tasks", {**BEER, "before": [OTHER, OTHER]}, "task"),
    ("put", "/tasks/{id}", {**BEER, "project": OTHER}, "project"),
    ("put", "/tasks/{id}", {**BEER, "labels": [OTHER]}, "label"),
    ("patch", "/tasks/{id}", {"project": OTHER}, "project"),
    ("patch", "/tasks/{id}", {"parent": OTHER}, "task"),
    ("patch", "/tasks/{id}", {"labels": [OTHER]}, "label"),
    ("patch", "/tasks/{id}", {"add_labels": [OTHER]}, "label"),
    ("patch", "/tasks/{id}", {"after": [OTHER]}, "task"),
    ("patch", "/tasks/{id}", {"before": OTHER}, "task"),
    ("post", "/tasks/{id}/move", {"project": OTHER}, "project"),
    ("post", "/tasks/{id}/move", {"parent": OTHER}, "task"),
    ("post", "/tasks/{id}/move", {"after": OTHER}, "task"),
    ("post", "/tasks/{id}/move", {"before": OTHER}, "task"),
    ("post", "/projects", {**ATTIC, "parent": OTHER}, "project"),
    ("post", "/projects", {**ATTIC, "after": OTHER}, "project"),
    ("put", "/projects/{id}", {**ATTIC, "parent": OTHER}, "project"),
    ("patch", "/projects/{id}", {"parent": OTHER}, "project"),
    ("patch", "/projects/{id}", {"before": OTHER}, "project"),
    ("post", "/projects/{id}/move", {"parent": OTHER}, "project"),
    ("post", "/projects/{id}/move", {"after": OTHER}, "project"),
    ("post", "/labels", {**ATTIC, "after": OTHER}, "label"),
    ("put", "/labels/{id}", {**ATTIC, "before": OTHER}, "label"),
    ("patch", "/labels/{id}", {"before": OTHER}, "label"),
]


def in_bulk(method, path, body):
    """The same request as the second operation of a bulk request."""
    kind, _, verb = path.removeprefix("/").replace("/{id}", "").partition("/")
    op = verb or {"post": "create", "patch": "update"}[method]
    by_id = {} if op == "create" else {"id": "{id}"}
    first = {"op": "create", "data": {"title": "first"}}
    operation = {"op": op, "kind": kind.removesuffix("s"), "data": body, **by_id}
    return "post", "/bulk", {"operations": [first, operation]}


# The request, the kind of the object that it changes, the field, and the kind of the reference.
REQUESTS = [
    (request, path.split("/")[1].removesuffix("s"), prefix + [*body][-1], kind)
    for method, path, body, kind in REFERENCES
    for prefix, request in [
        ("", (method, path, body)),
        *([] if method == "put" else [("operations.1.", in_bulk(method, path, body))]),
    ]
]


def create_objects(caller, name):
    return {
        "task": create_task(caller, name)["id"],
        "project": create_project(caller, name)["id"],
        "label": create_label(caller, name)["id"],
    }


def gone(caller, kind):
    """An object of this kind in the trash; a label has none."""
    each = create_objects(caller, "gone")[kind]
    send(caller, "delete", f"/{kind}s/{each}")
    return each


def send_request(caller, route, own, other):
    method, path, body = json.loads(json.dumps(route).replace("{id}", own).replace(OTHER, other))
    return caller(method, path, body, **{"X-Request-ID": "same"})


def visible_parts(response):
    return response.status_code, sorted(response.items()), response.content


def all_rows():
    models: Any = (Task, Project, Label, TaskLabel, Clock, Tombstone)
    return [row for model in models for row in model.objects.order_by("pk").values()]


@pytest.mark.parametrize(
    ("route", "own", "field", "kind"), REQUESTS, ids=[f"{each[0][:2]} {each[2]}" for each in REQUESTS]
)
def test_objects_of_others_in_the_trash_and_of_other_kinds_get_the_same_response_as_missing_ones(
    as_alice, as_bob, route, own, field, kind
):
    alices, bobs = create_objects(as_alice, "alice's"), create_objects(as_bob, "bob's")
    other_kind = {"task": "project", "project": "label", "label": "task"}[kind]
    others = [bobs[kind], gone(as_alice, kind), alices[other_kind]]
    changed = create_objects(as_alice, "changed")[own]
    before = all_rows()

    missing = send_request(as_alice, route, changed, UNKNOWN_ID)
    responses = [send_request(as_alice, route, changed, other) for other in others]

    assert_error(missing, 400, "VALIDATION_ERROR", field=field, constraint="does_not_exist")
    assert [visible_parts(each) for each in responses] == [visible_parts(missing)] * 3
    assert all_rows() == before
    assert send_request(as_alice, route, changed, alices[kind]).status_code in {200, 201}


def test_removing_a_label_of_another_user_changes_nothing(as_alice, as_bob, task):
    for label in (create_label(as_bob)["id"], UNKNOWN_ID):
        assert send(as_alice, "patch", f"/tasks/{task['id']}", {"remove_labels": [label]}) == task


def test_a_name_finds_no_label_of_another_user(as_alice, as_bob):
    label = create_label(as_bob, "errand")["id"]
    task = create_task(as_alice, add_labels=[{"name": "errand"}])

    assert task["labels"] != [label]
    assert Label.objects.filter(name="errand").count() == 2


@pytest.mark.parametrize("number", [1, 30])
def test_the_references_of_any_number_of_operations_are_read_by_one_query(
    as_alice, number, django_assert_max_num_queries
):
    own = [create_objects(as_alice, f"{each}") for each in range(number)]
    operations = [
        {"op": "create", "data": {**BEER, "project": each["project"], "labels": [each["label"]]}}
        for each in own
    ]
    # The user, two savepoints, the clock twice, the references, the tasks and their labels.
    with django_assert_max_num_queries(8):
        send(as_alice, "post", "/bulk", {"operations": operations})


# The database


@contextmanager
def constraints_checked():
    """As on commit."""
    with transaction.atomic(), connection.cursor() as cursor:
        yield
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


REFERENCES_IN_TABLES: list[tuple[Any, str, Any]] = [
    (Task, "project", Project),
    (Task, "parent", Task),
    (Project, "parent", Project),
]


@pytest.mark.postgres
@pytest.mark.parametrize("other", [None, "bob"])
@pytest.mark.parametrize(("model", "name", "target"), REFERENCES_IN_TABLES)
def test_the_database_refuses_a_reference_to_nothing_or_to_another_owner(
    alice, bob, as_alice, as_bob, model, name, target, other
):
    """Even if the code did not check it."""
    kind = model._meta.model_name
    each = create_objects(as_alice, "alice's")[kind]
    wrong = create_objects(as_bob, "bob's")[target._meta.model_name] if other else UNKNOWN_ID

    with pytest.raises(IntegrityError, match=f"{kind}_{name}_of_owner"), constraints_checked():
        model.objects.filter(pk=each).update(**{name: wrong})


@pytest.mark.postgres
@pytest.mark.parametrize("wrong", ["task", "label"])
def test_the_database_refuses_a_label_of_another_owner(alice, as_alice, as_bob, wrong):
    own, others = create_objects(as_alice, "alice's"), create_objects(as_bob, "bob's")
    keys = {name: (others if name == wrong else own)[name] for name in ("task", "label")}

    with pytest.raises(IntegrityError, match=f"tasklabel_{wrong}_of_owner"), constraints_checked():
        TaskLabel.objects.create(owner=alice, task_id=keys["task"], label_id=keys["label"])


@pytest.mark.postgres
@pytest.mark.parametrize("model", [Project, Task, Label])
def test_the_database_keeps_an_object_that_others_refer_to(as_alice, model):
    project, label = create_project(as_alice)["id"], create_label(as_alice)["id"]
    create_task(as_alice, parent=create_task(as_alice, project=project, labels=[label])["id"])
    first = model.objects.order_by("created_at").first()

    with pytest.raises(IntegrityError, match="_of_owner"), constraints_checked():
        model.objects.filter(pk=first.pk).delete()
