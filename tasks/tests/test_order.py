"""The order of tasks, projects and labels among their siblings: `after` and `before`."""

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.models import Task
from tasks.positions import MAX_LENGTH
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.organisation import (
    assert_consistent,
    bulk,
    create_label,
    create_project,
    read,
    send,
    titles,
)
from tests.support.tasks import create_task


def create(caller, names, **fields):
    return {name: create_task(caller, name, **fields)["id"] for name in names}


def move(caller, task_id, **body):
    return send(caller, "post", f"/tasks/{task_id}/move", body)


def order(caller, query="parent=none"):
    return "".join(titles(caller, query))


@pytest.fixture
def tasks(as_alice):
    """The ids of tasks in the inbox, in this order."""
    return create(as_alice, "ABCD")


def named(body, ids):
    """The body with ids in place of names."""
    if isinstance(body, list):
        return [named(each, ids) for each in body]
    return ids.get(body, body) if isinstance(body, str) else body


MOVES = [
    ("D", {"after": None}, "DABC"),
    ("A", {"before": None}, "BCDA"),
    ("D", {"after": "A"}, "ADBC"),
    ("D", {"before": "B"}, "ADBC"),
    ("A", {"after": "C"}, "BCAD"),
    ("A", {"after": "D"}, "BCDA"),
    ("C", {"before": "A"}, "CABD"),
    ("A", {"after": ["C"]}, "BCAD"),
    ("A", {"after": [UNKNOWN_ID, "C", "B"]}, "BCAD"),
    ("A", {"after": ["A", "D"]}, "BCDA"),
    ("C", {"after": [UNKNOWN_ID, None]}, "CABD"),
    ("A", {"before": [UNKNOWN_ID, None]}, "BCDA"),
]


@pytest.mark.parametrize("verb", ["move", "patch", "bulk"])
@pytest.mark.parametrize(("name", "body", "expected"), MOVES)
def test_a_task_is_put_after_or_before_another_one(as_alice, alice, tasks, name, body, expected, verb):
    before = {key: read(as_alice, {"id": each}) for key, each in tasks.items()}
    body = {key: named(value, tasks) for key, value in body.items()}
    if verb == "bulk":
        bulk(as_alice, {"op": "move", "id": tasks[name], "data": body})
    elif verb == "patch":
        send(as_alice, "patch", f"/tasks/{tasks[name]}", body)
    else:
        move(as_alice, tasks[name], **body)

    assert order(as_alice) == expected
    # One row and one version.
    changed = [key for key, each in tasks.items() if read(as_alice, {"id": each}) != before[key]]
    assert changed == [name]
    assert read(as_alice, {"id": tasks[name]})["version"] == 5
    assert_consistent(as_alice, alice)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "ABCDX"),
        ({"after": None}, "XABCD"),
        ({"before": None}, "ABCDX"),
        ({"after": "B"}, "ABXCD"),
        ({"before": "A"}, "XABCD"),
        ({"after": [UNKNOWN_ID, "C"]}, "ABCXD"),
    ],
)
def test_a_task_is_created_at_a_place(as_alice, alice, tasks, body, expected):
    create_task(as_alice, "X", **{key: named(value, tasks) for key, value in body.items()})

    assert order(as_alice) == expected
    assert_consistent(as_alice, alice)


@pytest.mark.parametrize(
    ("name", "body"),
    [("B", {"after": "A"}), ("B", {"before": "C"}), ("A", {"before": "B"}), ("D", {"after": "C"})],
)
def test_a_task_that_is_there_already_is_not_changed(as_alice, tasks, name, body):
    before = read(as_alice, {"id": tasks[name]})
    body = {key: tasks[value] for key, value in body.items()}

    assert move(as_alice, tasks[name], **body) == before


INVALID = [
    ({"after": UNKNOWN_ID}, "after", "does_not_exist"),
    ({"before": [UNKNOWN_ID]}, "before", "does_not_exist"),
    ({"after": "A"}, "after", "does_not_exist"),
    ({"after": "trashed"}, "after", "does_not_exist"),
    ({"before": "elsewhere"}, "before", "does_not_exist"),
    ({"before": "subtask"}, "before", "does_not_exist"),
    ({"after": "project"}, "after", "does_not_exist"),
    ({"after": "B", "before": "C"}, "after", "exclusive"),
    ({"after": []}, "after", "invalid"),
    ({"after": [None, "B"]}, "after", "invalid"),
    ({"after": "x"}, "after", "invalid"),
    ({"after": 1}, "after", "invalid"),
    ({"after": ["B"] * 101}, "after", "invalid"),
    ({"before": {}}, "before", "invalid"),
    ({}, "after", "required"),
    ({"position": "a0"}, "position", "unknown"),
]


@pytest.mark.parametrize(("body", "field", "constraint"), INVALID)
def test_an_invalid_place_is_refused(as_alice, alice, tasks, body, field, constraint):
    project = create_project(as_alice)["id"]
    ids = {
        **tasks,
        "trashed": create_task(as_alice)["id"],
        "elsewhere": create_task(as_alice, project=project)["id"],
        "subtask": create_task(as_alice, parent=tasks["B"])["id"],
        "project": project,
    }
    send(as_alice, "delete", f"/tasks/{ids['trashed']}")
    before = assert_consistent(as_alice, alice)
    response = as_alice(
        "post", f"/tasks/{tasks['A']}/move", {key: named(value, ids) for key, value in body.items()}
    )

    error = assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)
    assert assert_consistent(as_alice, alice) == before
    if constraint == "does_not_exist":
        rule = "must be null or the ID of another task in the same list, or a list in which one is."
        assert error["message"] == f"{field.title()} {rule}"


def test_a_move_says_what_can_be_sent(as_alice, task):
    error = assert_error(as_alice("post", f"/tasks/{task['id']}/move", {}), 400, "VALIDATION_ERROR")

    assert error["message"] == "Send one of after, before, project, parent."


# Lists


def test_each_project_and_each_task_has_an_order_of_its_own(as_alice, alice, tasks):
    project = create_project(as_alice)["id"]
    others = create(as_alice, "PQ", project=project)
    subtasks = create(as_alice, "ST", parent=others["Q"])
    move(as_alice, tasks["A"], project=project, after=others["P"])
    move(as_alice, tasks["B"], parent=others["Q"], before=subtasks["T"])
    move(as_alice, subtasks["S"], parent=None, after=None)

    assert order(as_alice, "project=none") == "CD"
    assert order(as_alice, f"project={project}&parent=none") == "SPAQ"
    assert order(as_alice, f"parent={others['Q']}") == "BT"
    assert_consistent(as_alice, alice)


def test_a_task_becomes_the_last_one_of_a_new_list(as_alice, tasks):
    project = create_project(as_alice)["id"]
    create(as_alice, "PQ", project=project)
    send(as_alice, "patch", f"/tasks/{tasks['B']}", {"project": project})

    assert order(as_alice, f"project={project}") == "PQB"
    send(as_alice, "patch", f"/tasks/{tasks['B']}", {"project": None})
    assert order(as_alice, "project=none") == "ACDB"


def test_a_trashed_task_keeps_its_place(as_alice, alice, tasks):
    send(as_alice, "delete", f"/tasks/{tasks['B']}")
    create_task(as_alice, "X", after=tasks["A"])
    create_task(as_alice, "Y", before=tasks["C"])
    send(as_alice, "post", f"/trash/{tasks['B']}/restore")

    assert order(as_alice) == "AXBYCD"
    assert_consistent(as_alice, alice)


def test_projects_and_labels_are_ordered_alike(as_alice, alice):
    for create, path in ((create_project, "/projects"), (create_label, "/labels")):
        a, b, c = (create(as_alice, name)["id"] for name in "ABC")
        send(as_alice, "patch", f"{path}/{c}", {"after": a})
        create(as_alice, "X", before=a)
        assert titles(as_alice, f"{path}?") == ["X", "A", "C", "B"]
        response = as_alice("patch", f"{path}/{b}", {"after": UNKNOWN_ID})
        assert_error(response, 400, "VALIDATION_ERROR", field="after", constraint="does_not_exist")
    assert_consistent(as_alice, alice)


def test_tasks_are_listed_by_position_in_both_directions_and_in_pages(as_alice, tasks):
    move(as_alice, tasks["D"], after=tasks["A"])
    page = send(as_alice, "get", "/tasks?ordering=-position&limit=3")
    rest = send(as_alice, "get", page["next"].partition("/api/v1")[2])

    assert "".join(each["title"] for each in page["results"] + rest["results"]) == "CBDA"


# Several moves in one request


def operation(name, tasks, **body):
    return {
        "op": "move",
        "id": tasks[name],
        "data": {key: named(value, tasks) for key, value in body.items()},
    }


def test_each_move_of_a_request_sees_those_before(as_alice, alice, tasks):
    moves = [("D", "A"), ("B", "D"), ("C", "A"), ("A", "B")]
    bulk(as_alice, *(operation(name, tasks, after=after) for name, after in moves))

    assert order(as_alice) == "CDBA"
    assert_consistent(as_alice, alice)


@pytest.mark.parametrize("away", [{"project": "project"}, {"parent": "A"}, {"before": None}])
def test_a_task_that_an_earlier_operation_moved_away_leaves_no_gap(as_alice, alice, tasks, away):
    """The task after it is a neighbour then."""
    tasks["project"] = create_project(as_alice)["id"]
    between = create_task(as_alice, "b", after=tasks["A"])["id"]
    bulk(as_alice, operation("b", {**tasks, "b": between}, **away), operation("D", tasks, after="A"))

    assert order(as_alice, "project=none&parent=none").rstrip("b") == "ADBC"
    assert_consistent(as_alice, alice)


@pytest.mark.parametrize("seed", range(6))
def test_random_moves_agree_with_a_list(as_alice, alice, seed):
    """In bulks; every other move is to another list or back."""
    chance = random.Random(seed)
    project = create_project(as_alice)["id"]
    ids = create(as_alice, "ABCDEFGH")
    lists = {None: [*"ABCDEFGH"], project: []}
    for _ in range(6):
        operations = []
        for _ in range(chance.randrange(1, 8)):
            name, target = chance.choice([*ids]), chance.choice([None, project])
            for each in lists.values():
                if name in each:
                    each.remove(name)
            others = lists[target]
            anchor = chance.choice([*others, None])
            direction = chance.choice(["after", "before"])
            at = others.index(anchor) if anchor else 0 if direction == "after" else len(others)
            others.insert(at + (1 if anchor and direction == "after" else 0), name)
            operations.append(
                {
                    "op": "move",
                    "id": ids[name],
                    "data": {"project": target, direction: anchor and ids[anchor]},
                }
            )
        bulk(as_alice, *operations)

        assert order(as_alice, "project=none") == "".join(lists[None])
        assert order(as_alice, f"project={project}") == "".join(lists[project])
    assert_consistent(as_alice, alice)


@pytest.mark.postgres  # SQLite takes fewer rows in one statement.
def test_100_moves_cost_as_many_queries_as_2(as_alice, alice):
    ids = [create_task(as_alice, f"{number}")["id"] for number in range(100)]
    counts = []
    for moved in (ids[:2], ids):
        moves = [
            {"op": "move", "id": each, "data": {"after": ids[(place * 37 + 50) % 100]}}
            for place, each in enumerate(moved)
        ]
        with CaptureQueriesContext(connection) as queries:
            bulk(as_alice, *moves)
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 9
    assert_consistent(as_alice, alice)


# Long positions


def test_siblings_are_renumbered_before_a_position_gets_too_long(as_alice, alice, tasks):
    """The trashed ones, too. Inserting at the same place makes positions longer each time."""
    send(as_alice, "delete", f"/tasks/{tasks['C']}")
    elsewhere = create_task(as_alice, project=create_project(as_alice)["id"])
    count, versions = 0, set()
    for _ in range(6):
        operations = []
        for _ in range(100):
            count += 1
            operations.append({"op": "create", "data": {"title": f"{count}", "after": tasks["A"]}})
        bulk(as_alice, *operations)
        versions.add(read(as_alice, {"id": tasks["D"]})["version"])

    positions = list(Task.objects.values_list("position", flat=True))
    assert max(map(len, positions)) <= MAX_LENGTH
    assert len(versions) > 1  # Renumbered.
    send(as_alice, "post", f"/trash/{tasks['C']}/restore")
    found = send(as_alice, "get", "/tasks?project=none&ordering=position&limit=200")["results"]
    assert [each["title"] for each in found[:3]] == ["A", "600", "599"]
    last = send(as_alice, "get", "/tasks?project=none&ordering=-position&limit=5")["results"]
    assert [each["title"] for each in last] == ["D", "C", "B", "1", "2"]
    assert read(as_alice, elsewhere) == elsewhere
    create_task(as_alice, "last")
    assert (
        send(as_alice, "get", "/tasks?project=none&ordering=-position&limit=1")["results"][0]["title"]
        == "last"
    )
    assert_consistent(as_alice, alice)
