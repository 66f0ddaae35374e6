"""/labels, and the labels of tasks."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.models import Label, Task, TaskLabel
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.organisation import assert_consistent, bulk, create_label, read, send, titles
from tests.support.tasks import create_task


@pytest.fixture
def labels(as_alice):
    """The ids of labels by name."""
    return {name: create_label(as_alice, name)["id"] for name in ("errand", "home", "urgent")}


def patch(caller, task, **body):
    return send(caller, "patch", f"/tasks/{task['id']}", body)["labels"]


def names_of(caller, task):
    return sorted(read(caller, {"id": each}, "/labels")["name"] for each in read(caller, task)["labels"])


def test_a_label_has_the_fields_of_every_object_around_its_own(as_alice, alice):
    response = as_alice("post", "/labels", {"name": " errand ", "color": "#FF8C00"})
    label = response.json()

    assert (response.status_code, response["Location"]) == (201, f"/api/v1/labels/{label['id']}")
    assert list(label) == [
        "id", "user_id", "name", "color", "position", "created_at", "updated_at", "deleted_at", "version",
    ]  # fmt: skip
    assert (label["name"], label["color"], label["user_id"]) == ("errand", "#ff8c00", str(alice.pk))
    assert send(as_alice, "get", "/labels")["results"] == [label]


INVALID = [
    ({}, "name", "required"),
    ({"name": None}, "name", "null"),
    ({"name": ""}, "name", "blank"),
    ({"name": "  \n "}, "name", "blank"),
    ({"name": "\u200d"}, "name", "blank"),
    ({"name": "x" * 101}, "name", "max_length"),
    ({"name": "x", "color": "blue"}, "color", "invalid_color"),
    ({"name": "x", "color": "1e90ff"}, "color", "invalid_color"),
    ({"name": "x", "position": "a0"}, "position", "read_only"),
    ({"name": "x", "parent": None}, "parent", "unknown"),
    ({"name": "x", "comparable_name": "y"}, "comparable_name", "unknown"),
    ({"name": "ERRAND"}, "name", "unique"),
]


@pytest.mark.parametrize(("body", "field", "constraint"), INVALID)
def test_an_invalid_label_is_refused(as_alice, labels, body, field, constraint):
    response = as_alice("post", "/labels", body)

    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)
    assert Label.objects.count() == 3


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Errand", "eRRAND"),
        ("Straße", "STRASSE"),
        ("café", "CAFE\u0301"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        (" errand", "errand "),
    ],
)
def test_a_name_is_unique_whatever_its_case(as_alice, as_bob, name, other):
    label, beside = create_label(as_alice, name), create_label(as_alice, "beside")
    for response in (
        as_alice("post", "/labels", {"name": other}),
        as_alice("patch", f"/labels/{beside['id']}", {"name": other}),
    ):
        error = assert_error(response, 400, "VALIDATION_ERROR", field="name", constraint="unique")
        assert error["message"] == "You already have a label with this name."

    renamed = send(as_alice, "patch", f"/labels/{label['id']}", {"name": other})
    assert renamed["version"] == label["version"] + 2
    create_label(as_bob, name)


def test_two_labels_of_one_request_have_different_names(as_alice):
    operations = [{"op": "create", "kind": "label", "data": {"name": name}} for name in ("a", "A")]
    response = as_alice("post", "/bulk", {"operations": operations})

    assert_error(response, 400, "VALIDATION_ERROR", field="operations.1.name", constraint="unique")
    assert not Label.objects.exists()


def test_a_name_is_free_after_its_label_was_renamed_or_deleted(as_alice, alice, labels):
    """Also earlier in the same request."""
    task = create_task(as_alice, labels=[labels["errand"]])
    create_named = {"op": "create", "kind": "label", "data": {"name": "home"}}
    bulk(
        as_alice,
        {"op": "update", "kind": "label", "id": labels["home"], "data": {"name": "house"}},
        create_named,
        {"op": "delete", "kind": "label", "id": labels["errand"]},
        {"op": "update", "id": task["id"], "data": {"add_labels": [{"name": "Errand"}]}},
    )

    [label] = read(as_alice, task)["labels"]
    assert label != labels["errand"]
    assert read(as_alice, {"id": label}, "/labels")["name"] == "Errand"
    assert_consistent(as_alice, alice)


def test_put_keeps_the_color_and_the_place(as_alice, labels):
    send(as_alice, "patch", f"/labels/{labels['urgent']}", {"color": "#ff0000"})
    label = send(as_alice, "put", f"/labels/{labels['urgent']}", {"name": "now"})

    assert (label["name"], label["color"]) == ("now", "#ff0000")
    assert titles(as_alice, "/labels?") == ["errand", "home", "now"]


# Labels of tasks


def test_labels_of_a_task_are_a_sorted_set(as_alice, alice, labels):
    wanted = sorted(labels.values(), reverse=True)
    task = create_task(as_alice, labels=[*wanted, wanted[0]])

    assert task["labels"] == sorted(wanted)
    assert patch(as_alice, task, labels=wanted[:1]) == wanted[:1]
    assert patch(as_alice, task, labels=[]) == []
    assert_consistent(as_alice, alice)


def test_labels_are_added_and_removed(as_alice, alice, labels):
    task = create_task(as_alice, labels=[labels["errand"]])
    added = patch(as_alice, task, add_labels=[labels["home"], labels["errand"], labels["home"]])
    both = patch(as_alice, task, add_labels=[labels["urgent"]], remove_labels=[labels["errand"], UNKNOWN_ID])

    assert added == sorted([labels["errand"], labels["home"]])
    assert both == sorted([labels["home"], labels["urgent"]])
    assert patch(as_alice, task, add_labels=[labels["errand"]], remove_labels=[labels["errand"]]) == both
    assert_consistent(as_alice, alice)


@pytest.mark.parametrize(
    "body",
    [{"labels": ["errand"]}, {"add_labels": ["errand"]}, {"remove_labels": ["home"]}, {"add_labels": []}],
)
def test_labels_that_are_as_they_should_be_change_nothing(as_alice, labels, body):
    task = create_task(as_alice, labels=[labels["errand"]])
    changed = send(
        as_alice,
        "patch",
        f"/tasks/{task['id']}",
        {name: [labels[each] for each in ids] for name, ids in body.items()},
    )

    assert changed == task


def test_a_name_finds_or_creates_a_label(as_alice, alice, labels):
    task = create_task(as_alice, add_labels=[{"name": "ERRAND"}, {"name": " new "}, {"name": "New"}])
    again = create_task(as_alice, add_labels=[{"name": "NEW"}, labels["home"]])

    assert names_of(as_alice, task) == ["errand", "new"]
    assert names_of(as_alice, again) == ["home", "new"]
    assert titles(as_alice, "/labels?") == ["errand", "home", "urgent", "new"]
    assert_consistent(as_alice, alice)


def test_names_in_one_request_create_one_label(as_alice, alice):
    operations = [
        {"op": "create", "data": {"title": f"{n}", "add_labels": [{"name": "new"}]}} for n in range(5)
    ]

    assert len({each["labels"][0] for each in bulk(as_alice, *operations)}) == 1
    assert Label.objects.count() == 1
    assert_consistent(as_alice, alice)


INVALID_LABELS = [
    ({"labels": [UNKNOWN_ID]}, "labels", "does_not_exist"),
    ({"labels": [{"name": "x"}]}, "labels.0", "invalid"),
    ({"labels": ["x"]}, "labels.0", "invalid"),
    ({"labels": None}, "labels", "null"),
    ({"labels": "{errand}"}, "labels", "not_a_list"),
    ({"add_labels": [UNKNOWN_ID]}, "add_labels", "does_not_exist"),
    ({"add_labels": [1]}, "add_labels.0", "invalid"),
    ({"add_labels": [{}]}, "add_labels.0.name", "required"),
    ({"add_labels": [{"name": " "}]}, "add_labels.0.name", "blank"),
    ({"add_labels": [{"name": "x" * 101}]}, "add_labels.0.name", "max_length"),
    ({"add_labels": [{"name": "x", "color": "#000000"}]}, "add_labels.0.color", "unknown"),
    ({"remove_labels": [{"name": "errand"}]}, "remove_labels.0", "invalid"),
    ({"labels": [], "add_labels": []}, "labels", "exclusive"),
    ({"labels": [], "remove_labels": []}, "labels", "exclusive"),
    ({"add_labels": [UNKNOWN_ID] * 1001}, "add_labels", "max_length"),
]


@pytest.mark.parametrize(("body", "field", "constraint"), INVALID_LABELS)
def test_invalid_labels_of_a_task_are_refused(as_alice, alice, labels, body, field, constraint):
    task = create_task(as_alice, labels=[labels["home"]])
    before = assert_consistent(as_alice, alice)

    response = as_alice("patch", f"/tasks/{task['id']}", body)
    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)
    assert assert_consistent(as_alice, alice) == before


def test_an_unknown_label_is_named_with_its_operation(as_alice):
    operations = [{"op": "create", "data": {"title": "x", "labels": labels}} for labels in ([], [UNKNOWN_ID])]
    error = assert_error(as_alice("post", "/bulk", {"operations": operations}), 400, "VALIDATION_ERROR")
    other = assert_error(
        as_alice("post", "/tasks", {"title": "x", "add_labels": [1]}), 400, "VALIDATION_ERROR"
    )

    assert other["message"] == 'Item 0 of add labels must be the ID of a label, or {"name": "…"}.'
    assert error["details"]["field"] == "operations.1.labels"
    assert error["message"] == "Labels must be IDs of your labels."
    assert not Task.objects.exists()


def test_a_task_has_up_to_50_labels(as_alice, alice):
    fifty = [{"name": f"{number}"} for number in range(50)]
    task = create_task(as_alice, add_labels=fifty)
    error = assert_error(
        as_alice("patch", f"/tasks/{task['id']}", {"add_labels": [{"name": "one more"}]}),
        409,
        "QUOTA_EXCEEDED",
    )

    assert error["details"] == {"quota": "labels_per_task", "limit": 50}
    assert error["message"] == "A task can have at most 50 labels."
    assert (read(as_alice, task), Label.objects.count()) == (task, 50)
    patch(as_alice, task, add_labels=[{"name": "one more"}], remove_labels=task["labels"][:1])
    assert_consistent(as_alice, alice)


def test_the_number_of_labels_is_limited(as_alice, settings):
    settings.QUOTA_LABELS = 2
    create_label(as_alice, "1"), create_label(as_alice, "2")
    for response in (
        as_alice("post", "/labels", {"name": "3"}),
        as_alice("post", "/tasks", {"title": "x", "add_labels": [{"name": "3"}]}),
    ):
        error = assert_error(response, 409, "QUOTA_EXCEEDED")
        assert error["details"] == {"quota": "labels", "limit": 2}
        assert error["message"] == "A user can have at most 2 labels."
    assert not Task.objects.exists()


# Filters


def test_tasks_are_filtered_by_labels(as_alice, labels):
    errand, home, urgent = labels.values()
    for title, its in (("a", [errand]), ("b", [home]), ("c", [errand, home]), ("d", []), ("e", [urgent])):
        create_task(as_alice, title, labels=its)

    assert titles(as_alice, f"label={errand}") == ["a", "c"]
    assert titles(as_alice, f"label={errand},{urgent}") == ["a", "c", "e"]
    assert titles(as_alice, f"label={errand}&label={home}") == ["c"]
    assert titles(as_alice, f"label={errand},{urgent}&label={home}") == ["c"]
    assert titles(as_alice, "label=none") == ["d"]
    assert titles(as_alice, f"label=none&label={home}") == []
    assert titles(as_alice, f"label={UNKNOWN_ID}") == []


@pytest.mark.parametrize("value", ["x", "", "none,none", ",".join([UNKNOWN_ID] * 101)])
def test_an_invalid_label_filter_is_refused(as_alice, value):
    error = assert_error(as_alice("get", f"/tasks?label={value}"), 400, "VALIDATION_ERROR")

    assert error["details"]["field"].startswith("label")


def test_a_page_filtered_by_labels_continues(as_alice, labels):
    for number in range(5):
        create_task(as_alice, f"{number}", labels=[labels["home"]])
    path = f"/tasks?label={labels['home']}&limit=2&ordering=title"
    found = []
    while path:
        page = send(as_alice, "get", path)
        found += [each["title"] for each in page["results"]]
        path = page["next"] and page["next"].partition("/api/v1")[2]

    assert found == [*"01234"]


# Deleting


def test_deleting_a_label_removes_it_from_tasks_with_new_versions(as_alice, alice, labels):
    """Also from those in the trash."""
    errand, home, _ = labels.values()
    one, two = create_task(as_alice, labels=[errand, home]), create_task(as_alice, labels=[errand])
    other = create_task(as_alice, labels=[home])
    send(as_alice, "delete", f"/tasks/{two['id']}")
    since = send(as_alice, "get", "/sync")["since"]
    tombstone = send(as_alice, "delete", f"/labels/{errand}")

    assert tombstone == {"kind": "label", "id": errand, "version": 10, "purged": True}
    changes = send(as_alice, "get", f"/sync?since={since}")["changes"]
    assert {each["id"]: each.get("labels") for each in changes[:2]} == {one["id"]: [home], two["id"]: []}
    assert changes[2:] == [tombstone]
    assert read(as_alice, other) == other
    assert not TaskLabel.objects.filter(label=errand).exists()
    assert_error(as_alice("delete", f"/labels/{errand}"), 404, "NOT_FOUND")
    assert_error(as_alice("get", f"/trash/{errand}"), 404, "NOT_FOUND")
    assert_consistent(as_alice, alice)


def test_a_label_deleted_earlier_in_a_request_cannot_be_used(as_alice, labels, task):
    operations = [
        {"op": "delete", "kind": "label", "id": labels["errand"]},
        {"op": "update", "id": task["id"], "data": {"labels": [labels["errand"]]}},
    ]

    response = as_alice("post", "/bulk", {"operations": operations})
    assert_error(response, 400, "VALIDATION_ERROR", field="operations.1.labels", constraint="does_not_exist")
    assert read(as_alice, {"id": labels["errand"]}, "/labels")


def test_a_label_that_is_added_and_deleted_in_one_request_is_gone(as_alice, alice, labels, task):
    bulk(
        as_alice,
        {"op": "update", "id": task["id"], "data": {"add_labels": [labels["errand"], labels["home"]]}},
        {"op": "delete", "kind": "label", "id": labels["errand"]},
    )

    assert read(as_alice, task)["labels"] == [labels["home"]]
    assert_consistent(as_alice, alice)


def test_purging_a_task_keeps_its_labels(as_alice, alice, labels):
    task = create_task(as_alice, labels=[*labels.values()])
    send(as_alice, "delete", f"/tasks/{task['id']}")
    send(as_alice, "delete", f"/trash/{task['id']}")

    assert not TaskLabel.objects.exists()
    assert len(assert_consistent(as_alice, alice)) == 3


def test_two_labels_exchange_their_names_in_one_request(as_alice, alice, labels):
    def rename(name, to):
        return {"op": "update", "kind": "label", "id": labels[name], "data": {"name": to}}

    bulk(as_alice, rename("errand", "for a moment"), rename("home", "errand"), rename("errand", "home"))

    names = {each["id"]: each["name"] for each in send(as_alice, "get", "/labels")["results"]}
    assert (names[labels["errand"]], names[labels["home"]]) == ("home", "errand")
    assert_consistent(as_alice, alice)


def test_naming_three_labels_makes_as_many_queries_as_naming_one(as_alice, labels):
    def queries(*names):
        with CaptureQueriesContext(connection) as captured:
            create_task(as_alice, add_labels=[{"name": name} for name in names])
        return len(captured)

    queries("errand")  # compiles the SQL
    assert queries("errand", "home", "urgent") == queries("errand")
