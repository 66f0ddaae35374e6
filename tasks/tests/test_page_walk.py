"""Following `next` returns each unmoved task once and in order, whatever is written meanwhile."""

import datetime as dt
import json
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID

import pytest
from django.core import signing

from tasks.models import Task
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID, pages
from tests.support.tasks import create_task, store_tasks

NOON = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)
DUE = [None, *(dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (2001, 2002, 2998, 2999))]
NAMES = ["created_at", "updated_at", "due", "priority", "title"]
ORDERINGS = [sign + name for name in NAMES for sign in ("", "-")]


def after_noon(minutes):
    return NOON + dt.timedelta(minutes=minutes)


@pytest.fixture
def many_tasks(alice):
    """32 live and 16 trashed tasks, in which every value occurs several times and ids are in random order."""
    return store_tasks(
        alice,
        *(
            {
                "id": UUID(int=number * 29 % 48),
                "title": f"t{number % 9}",
                "description": "bread" if number % 4 else "butter",
                "priority": number % 4,
                "completed": number % 5 > 2,
                "completed_at": NOON if number % 5 > 2 else None,
                "due_at": DUE[number * 7 % 5],
                "created_at": after_noon(number // 5),
                "updated_at": after_noon(number // 7),
                "deleted_at": after_noon(number // 8) if number % 3 == 2 else None,
            }
            for number in range(48)
        ),
    )


def write_between_pages(caller, many_tasks, turn):
    """Delete, move, change, complete or reopen, restore, purge and create a task."""
    live, trash = (
        [row for row in many_tasks if bool(row.deleted_at) == deleted] for deleted in (False, True)
    )
    deleted, moved, changed, toggled = live[turn::6][:4]
    restored, purged = trash[turn::6][:2]
    first = {"title": "a", "priority": 0, "due_at": "2001-01-01T00:00:00Z"}
    last = {"title": "z", "priority": 3, "due_at": None}
    writes = [
        ("delete", f"/tasks/{deleted.id}", None),
        ("patch", f"/tasks/{moved.id}", (first, last)[turn % 2]),
        ("patch", f"/tasks/{changed.id}", {"description": "jam"}),
        ("post", f"/tasks/{toggled.id}/{'reopen' if toggled.completed else 'complete'}", None),
        ("post", f"/trash/{restored.id}/restore", None),
        ("delete", f"/trash/{purged.id}", None),
        ("post", "/tasks", first),
        ("post", "/tasks", last),
    ]
    assert [caller(*write).status_code for write in writes] == [200] * 6 + [201] * 2


def walk_during_writes(caller, many_tasks, path):
    """All results, with writes after the first, third, fifth and seventh page."""
    seen = []
    for number, page in enumerate(pages(caller, path)):
        seen += page
        if number in (0, 2, 4, 6):
            write_between_pages(caller, many_tasks, number // 2)
    return seen


def assert_complete_and_ordered(seen, many_tasks, ordering, matches):
    """The results contain each row that belongs to the list and has not moved once, in order."""
    column, down = ordering.removeprefix("-"), ordering.startswith("-")
    column = {"due": "due_at", "updated_at": "version"}.get(column, column)

    def place(value, pk):
        return (value is None) != down, value, str(pk)

    now = Task.objects.in_bulk()
    stayed = [
        row
        for row in many_tasks
        if row.pk in now
        and getattr(row, column) == getattr(now[row.pk], column)
        and matches(row) == matches(now[row.pk])
    ]
    belong = sorted((place(getattr(row, column), row.pk) for row in stayed if matches(row)), reverse=down)
    shown = [place(task[column], task["id"]) for task in seen]
    ids = {str(row.pk) for row in stayed}

    assert len(belong) >= 4
    assert [pk for _, _, pk in shown if pk in ids] == [pk for _, _, pk in belong]
    assert shown == sorted(shown, reverse=down)
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize("limit", [1, 4])
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_pages_of_tasks_skip_and_repeat_nothing_during_writes(as_alice, many_tasks, ordering, limit):
    seen = walk_during_writes(as_alice, many_tasks, f"/tasks?limit={limit}&ordering={ordering}")

    assert_complete_and_ordered(seen, many_tasks, ordering, lambda row: row.deleted_at is None)


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("ordering", ["deleted_at", "-deleted_at"])
def test_pages_of_the_trash_skip_and_repeat_nothing_during_writes(as_alice, many_tasks, ordering, limit):
    seen = walk_during_writes(as_alice, many_tasks, f"/trash?limit={limit}&ordering={ordering}")

    assert_complete_and_ordered(seen, many_tasks, ordering, lambda row: row.deleted_at is not None)


@pytest.mark.parametrize(
    ("ordering", "query", "matches"),
    [
        ("due", "completed=true", lambda row: row.completed),
        ("-due", "completed=false", lambda row: not row.completed),
        ("title", "priority=2", lambda row: row.priority == 2),
        ("due", "due=none", lambda row: row.due_at is None),
        ("-due", "due_before=2998-01-01T00:00:00Z", lambda row: row.due_at in DUE[1:3]),
        ("due", "due_after=2001-01-01T00:00:00Z", lambda row: row.due_at in DUE[2:]),
        ("-priority", "overdue=true", lambda row: not row.completed and row.due_at in DUE[1:3]),
        ("-due", "overdue=false", lambda row: row.completed or row.due_at not in DUE[1:3]),
        ("created_at", "created_before=2020-01-01T12:06:00Z", lambda row: row.created_at < after_noon(6)),
        ("-created_at", "created_after=2020-01-01T12:02:00Z", lambda row: row.created_at > after_noon(2)),
        ("updated_at", "updated_after=2020-01-01T12:02:00Z", lambda row: row.updated_at > after_noon(2)),
        ("-updated_at", "q=BREAD", lambda row: row.description == "bread"),
        ("priority", "completed=false&q=bre", lambda row: not row.completed and row.description == "bread"),
    ],
)
def test_a_filter_applies_to_every_page_during_writes(as_alice, many_tasks, ordering, query, matches):
    seen = walk_during_writes(as_alice, many_tasks, f"/tasks?limit=2&ordering={ordering}&{query}")

    assert_complete_and_ordered(
        seen, many_tasks, ordering, lambda row: row.deleted_at is None and matches(row)
    )


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_the_task_before_a_cursor_may_be_purged(as_alice, many_tasks, ordering):
    path = f"/tasks?limit=5&ordering={ordering}"
    expected = as_alice("get", path.replace("limit=5", "limit=200")).json()["results"]
    remaining_pages = pages(as_alice, path)

    seen = next(remaining_pages)
    for collection in ("tasks", "trash"):
        assert as_alice("delete", f"/{collection}/{seen[-1]['id']}").status_code == 200
    seen += [task for page in remaining_pages for task in page]

    assert len(expected) == 32
    assert seen == expected


@pytest.mark.parametrize(
    ("ordering", "key"),
    [("created_at", "id"), ("-created_at", "id"), ("updated_at", "version"), ("-updated_at", "version")],
)
def test_pages_contain_all_tasks_although_their_times_are_equal(as_alice, alice, ordering, key):
    times = {"created_at": NOON, "updated_at": NOON}
    store_tasks(alice, *({"title": str(number), **times} for number in range(10)))
    tasks = as_alice("get", "/tasks").json()["results"]
    walked = pages(as_alice, f"/tasks?limit=3&ordering={ordering}")
    seen = [task for page in walked for task in page]

    assert len(tasks) == 10
    assert seen == sorted(tasks, key=lambda task: task[key], reverse=ordering.startswith("-"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/tasks", "51342"),
        ("/tasks?ordering=created_at", "24315"),
        ("/tasks?ordering=-created_at", "51342"),
        # In the order of their changes, which an import does not store in the order of the times.
        ("/tasks?ordering=updated_at", "41532"),
        ("/tasks?ordering=-updated_at", "23514"),
        ("/tasks?ordering=due", "32514"),
        ("/tasks?ordering=-due", "52341"),
        ("/tasks?ordering=priority", "25134"),
        ("/tasks?ordering=-priority", "43152"),
        ("/tasks?ordering=title", "32415"),
        ("/tasks?ordering=-title", "51423"),
        ("/trash", "51342"),
        ("/trash?ordering=deleted_at", "24315"),
        ("/trash?ordering=-deleted_at", "51342"),
    ],
)
def test_tasks_are_ordered_by_id_if_equal_and_last_without_a_time(as_alice, alice, path, expected):
    columns = [  # id; minute of created_at (deleted_at in the trash), updated_at, due_at; priority; title
        (4, 1, 2, None, 3, "fig"),
        (1, 3, 1, None, 2, "pear"),
        (5, 3, 3, 5, 0, "plum"),
        (3, 2, 1, 3, 2, "apple"),
        (2, 1, 2, 5, 0, "fig"),
    ]
    store_tasks(
        alice,
        *(
            {
                "id": UUID(int=number),
                "created_at": after_noon(created),
                "updated_at": after_noon(updated),
                "due_at": after_noon(due) if due else None,
                "priority": priority,
                "title": title,
                "deleted_at": after_noon(created) if path.startswith("/trash") else None,
            }
            for number, created, updated, due, priority, title in columns
        ),
    )

    shown = as_alice("get", path).json()["results"]

    assert "".join(task["id"][-1] for task in shown) == expected


@pytest.mark.parametrize(
    ("query", "length"), [("", 50), ("?limit=1", 1), ("?limit=199", 199), ("?limit=200", 200)]
)
def test_a_page_has_50_tasks_by_default_and_at_most_200(as_alice, alice, query, length):
    store_tasks(alice, *[{"title": "milk"}] * 200)

    page = as_alice("get", f"/tasks{query}").json()

    assert len(page["results"]) == length
    assert (page["next"] is None) == (length == 200)


@pytest.fixture
def cursor(as_alice):
    for title in ("milk", "bread", "tea"):
        create_task(as_alice, title, priority=2)
    url = as_alice("get", "/tasks?limit=1&ordering=priority&q=e").json()["next"]
    return parse_qs(urlsplit(url).query)["cursor"][0]


def test_a_cursor_is_valid_for_its_list_with_any_limit(as_alice, cursor):
    answer = as_alice("get", f"/tasks?limit=200&ordering=priority&q=e&cursor={quote(cursor)}").json()

    assert len(answer["results"]) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/tasks?q=e",
        "/tasks?ordering=priority",
        "/tasks?ordering=-priority&q=e",
        "/tasks?ordering=priority&q=ea",
        "/tasks?ordering=priority&q=e&completed=false",
        "/users/me/tasks?ordering=priority&q=e",
        "/trash?q=e",
    ],
)
def test_a_cursor_of_another_list_is_refused(as_alice, cursor, path):
    assert_error(as_alice("get", f"{path}&cursor={quote(cursor)}"), 400, "INVALID_CURSOR")


CRAFTED = signing.b64_encode(json.dumps([0, UNKNOWN_ID]).encode()).decode()


@pytest.mark.parametrize(
    "forge",
    [
        lambda cursor: ("A" if cursor[0] != "A" else "B") + cursor[1:],
        lambda cursor: cursor[:-1],
        lambda cursor: cursor.partition(":")[0],
        lambda cursor: ":" + cursor.partition(":")[2],
        lambda cursor: CRAFTED,
        lambda cursor: f"{CRAFTED}:{cursor.partition(':')[2]}",
        lambda cursor: signing.Signer().sign_object([0, UNKNOWN_ID]),  # signed with the key, but another salt
        lambda cursor: signing.Signer(key="x" * 50).sign_object([0, UNKNOWN_ID]),
        lambda cursor: "." + cursor,
        lambda cursor: "0",
        lambda cursor: "🙂:🙂",
    ],
)
def test_a_forged_or_truncated_cursor_is_refused(as_alice, cursor, forge):
    path = f"/tasks?ordering=priority&q=e&cursor={quote(forge(cursor))}"

    assert_error(as_alice("get", path), 400, "INVALID_CURSOR")


@pytest.mark.parametrize("letter", ["x", "é", "漢", "\U0001f95b", '"', "\x01"])
def test_a_cursor_can_contain_the_longest_titles(as_alice, letter):
    for number in range(3):
        create_task(as_alice, letter * 498 + str(number))
    path = "/tasks?ordering=title&limit=1"

    assert len(as_alice("get", path).json()["next"]) < 8000
    assert [task["title"][-1] for [task] in pages(as_alice, path)] == ["0", "1", "2"]
