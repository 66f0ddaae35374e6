"""A walk through the pages meets each row that stays once and in its place, whatever goes on meanwhile."""

import datetime as dt
import json
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID

import pytest
from django.core import signing

from tasks.models import Clock, Task
from tests.support.assertions import assert_error
from tests.support.tasks import create_task

NOON = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)
DUE = [None, *(dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (2001, 2002, 2998, 2999))]
COLUMNS = ["created_at", "updated_at", "due_at", "priority", "title"]
BOTH_WAYS = [sign + column for column in COLUMNS for sign in ("", "-")]
UNKNOWN_ID = str(UUID(int=99))


def after_noon(minutes):
    return NOON + dt.timedelta(minutes=minutes)


def stored(owner, rows):
    Clock.objects.create(owner=owner, tick=len(rows))
    tasks = [Task(owner=owner, version=version, **row) for version, row in enumerate(rows, start=1)]
    return Task.objects.bulk_create(tasks)


@pytest.fixture
def rows(alice):
    """32 live ones, 16 in the trash; every value is there several times, and ids are in no order."""
    return stored(
        alice,
        [
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
        ],
    )


def pages(caller, path):
    for _ in range(100):
        answer = caller("get", path).json()
        yield answer["results"]
        if answer["next"] is None:
            return
        path = answer["next"].removeprefix("http://testserver/api/v1")
    pytest.fail("The walk does not end.")


def upset(caller, rows, turn):
    """Rows leave, move, change, are completed or reopened, come back, go for good, and come anew."""
    live, trash = ([row for row in rows if bool(row.deleted_at) == gone] for gone in (False, True))
    leaves, moves, changes, turns = live[turn::6][:4]
    returns, ends = trash[turn::6][:2]
    first = {"title": "a", "priority": 0, "due_at": "2001-01-01T00:00:00Z"}
    last = {"title": "z", "priority": 3, "due_at": None}
    writes = [
        ("delete", f"/tasks/{leaves.id}", None),
        ("patch", f"/tasks/{moves.id}", (first, last)[turn % 2]),
        ("patch", f"/tasks/{changes.id}", {"description": "jam"}),
        ("post", f"/tasks/{turns.id}/{'reopen' if turns.completed else 'complete'}", None),
        ("post", f"/trash/{returns.id}/restore", None),
        ("delete", f"/trash/{ends.id}", None),
        ("post", "/tasks", first),
        ("post", "/tasks", last),
    ]
    assert [caller(*write).status_code for write in writes] == [200] * 6 + [201] * 2


def walk(caller, rows, path):
    """All that is seen, with an upset after the first, third, fifth and seventh page."""
    seen = []
    for number, page in enumerate(pages(caller, path)):
        seen += page
        if number in (0, 2, 4, 6):
            upset(caller, rows, number // 2)
    return seen


def assert_right(seen, rows, ordering, holds):
    """Of the rows whose place stayed, just those that belong to the list were seen: once each, in order."""
    column, down = ordering.removeprefix("-"), ordering.startswith("-")

    def place(value, pk):
        return (value is None) != down, value, str(pk)

    now = Task.objects.in_bulk()
    stayed = [
        row
        for row in rows
        if row.pk in now
        and getattr(row, column) == getattr(now[row.pk], column)
        and holds(row) == holds(now[row.pk])
    ]
    belong = sorted((place(getattr(row, column), row.pk) for row in stayed if holds(row)), reverse=down)
    shown = [place(task[column], task["id"]) for task in seen]
    ids = {str(row.pk) for row in stayed}

    assert len(belong) >= 4
    assert [pk for _, _, pk in shown if pk in ids] == [pk for _, _, pk in belong]
    assert shown == sorted(shown, reverse=down)
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize("limit", [1, 4])
@pytest.mark.parametrize("ordering", BOTH_WAYS)
def test_a_walk_through_the_tasks_misses_and_repeats_nothing(as_alice, rows, ordering, limit):
    seen = walk(as_alice, rows, f"/tasks?limit={limit}&ordering={ordering}")

    assert_right(seen, rows, ordering, lambda row: row.deleted_at is None)


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("ordering", ["deleted_at", "-deleted_at"])
def test_a_walk_through_the_trash_misses_and_repeats_nothing(as_alice, rows, ordering, limit):
    seen = walk(as_alice, rows, f"/trash?limit={limit}&ordering={ordering}")

    assert_right(seen, rows, ordering, lambda row: row.deleted_at is not None)


@pytest.mark.parametrize(
    ("ordering", "query", "holds"),
    [
        ("due_at", "completed=true", lambda row: row.completed),
        ("-due_at", "completed=false", lambda row: not row.completed),
        ("title", "priority=2", lambda row: row.priority == 2),
        ("due_at", "due=none", lambda row: row.due_at is None),
        ("-due_at", "due_before=2998-01-01T00:00:00Z", lambda row: row.due_at in DUE[1:3]),
        ("due_at", "due_after=2001-01-01T00:00:00Z", lambda row: row.due_at in DUE[2:]),
        ("-priority", "overdue=true", lambda row: not row.completed and row.due_at in DUE[1:3]),
        ("-due_at", "overdue=false", lambda row: row.completed or row.due_at not in DUE[1:3]),
        ("created_at", "created_before=2020-01-01T12:06:00Z", lambda row: row.created_at < after_noon(6)),
        ("-created_at", "created_after=2020-01-01T12:02:00Z", lambda row: row.created_at > after_noon(2)),
        ("updated_at", "updated_after=2020-01-01T12:02:00Z", lambda row: row.updated_at > after_noon(2)),
        ("-updated_at", "q=BREAD", lambda row: row.description == "bread"),
        ("priority", "completed=false&q=bre", lambda row: not row.completed and row.description == "bread"),
    ],
)
def test_a_filter_holds_on_the_whole_walk(as_alice, rows, ordering, query, holds):
    seen = walk(as_alice, rows, f"/tasks?limit=2&ordering={ordering}&{query}")

    assert_right(seen, rows, ordering, lambda row: row.deleted_at is None and holds(row))


@pytest.mark.parametrize("ordering", BOTH_WAYS)
def test_the_row_that_a_cursor_stands_behind_may_go(as_alice, rows, ordering):
    path = f"/tasks?limit=5&ordering={ordering}"
    whole = as_alice("get", path.replace("limit=5", "limit=200")).json()["results"]
    walked = pages(as_alice, path)

    seen = next(walked)
    for method_and_path in (("delete", f"/tasks/{seen[-1]['id']}"), ("delete", f"/trash/{seen[-1]['id']}")):
        assert as_alice(*method_and_path).status_code == 200
    seen += [task for page in walked for task in page]

    assert len(whole) == 32
    assert seen == whole


@pytest.mark.parametrize("ordering", ["created_at", "-created_at", "updated_at", "-updated_at"])
def test_tasks_made_in_one_bulk_are_all_met_though_their_times_are_equal(as_alice, ordering):
    operations = [{"op": "create", "data": {"title": str(number)}} for number in range(10)]
    tasks = as_alice("post", "/tasks/bulk", {"operations": operations}).json()["results"]

    seen = [task for page in pages(as_alice, f"/tasks?limit=3&ordering={ordering}") for task in page]

    assert len({task["created_at"] for task in tasks}) == 1
    assert seen == sorted(tasks, key=lambda task: task["id"], reverse=ordering.startswith("-"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/tasks", "51342"),
        ("/tasks?ordering=created_at", "24315"),
        ("/tasks?ordering=-created_at", "51342"),
        ("/tasks?ordering=updated_at", "13245"),
        ("/tasks?ordering=-updated_at", "54231"),
        ("/tasks?ordering=due_at", "32514"),
        ("/tasks?ordering=-due_at", "52341"),
        ("/tasks?ordering=priority", "25134"),
        ("/tasks?ordering=-priority", "43152"),
        ("/tasks?ordering=title", "32415"),
        ("/tasks?ordering=-title", "51423"),
        ("/trash", "51342"),
        ("/trash?ordering=deleted_at", "24315"),
        ("/trash?ordering=-deleted_at", "51342"),
    ],
)
def test_ties_go_by_id_and_missing_times_come_last(as_alice, alice, path, expected):
    columns = [  # The id; when created (in the trash: deleted), changed, due; priority; title.
        (4, 1, 2, None, 3, "fig"),
        (1, 3, 1, None, 2, "pear"),
        (5, 3, 3, 5, 0, "plum"),
        (3, 2, 1, 3, 2, "apple"),
        (2, 1, 2, 5, 0, "fig"),
    ]
    stored(
        alice,
        [
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
        ],
    )

    shown = as_alice("get", path).json()["results"]

    assert "".join(task["id"][-1] for task in shown) == expected


@pytest.mark.parametrize(
    ("query", "length"), [("", 50), ("?limit=1", 1), ("?limit=199", 199), ("?limit=200", 200)]
)
def test_a_page_has_as_many_rows_as_were_asked_for(as_alice, alice, query, length):
    stored(alice, [{"title": "milk"}] * 200)

    page = as_alice("get", f"/tasks{query}").json()

    assert len(page["results"]) == length
    assert (page["next"] is None) == (length == 200)


@pytest.fixture
def cursor(as_alice):
    for title in ("milk", "bread", "tea"):
        create_task(as_alice, title, priority=2)
    url = as_alice("get", "/tasks?limit=1&ordering=priority&q=e").json()["next"]
    return parse_qs(urlsplit(url).query)["cursor"][0]


def test_a_cursor_is_good_for_its_list_with_any_limit(as_alice, cursor):
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


def test_a_cursor_of_another_person_is_refused(as_bob, cursor):
    path = f"/tasks?ordering=priority&q=e&cursor={quote(cursor)}"

    assert_error(as_bob("get", path), 400, "INVALID_CURSOR")


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
        lambda cursor: signing.Signer().sign_object([0, UNKNOWN_ID]),  # With our key, for another purpose.
        lambda cursor: signing.Signer(key="x" * 50).sign_object([0, UNKNOWN_ID]),
        lambda cursor: "." + cursor,
        lambda cursor: "0",
        lambda cursor: "🙂:🙂",
    ],
)
def test_a_forged_truncated_or_crafted_cursor_is_refused(as_alice, cursor, forge):
    path = f"/tasks?ordering=priority&q=e&cursor={quote(forge(cursor))}"

    assert_error(as_alice("get", path), 400, "INVALID_CURSOR")


@pytest.mark.parametrize("letter", ["x", "é", "漢", "\U0001f95b", '"', "\x01"])
def test_the_longest_titles_fit_into_a_cursor(as_alice, letter):
    for number in range(3):
        create_task(as_alice, letter * 498 + str(number))
    seen, path = [], "/tasks?ordering=title&limit=1"
    while path:
        page = as_alice("get", path).json()
        seen += [task["title"][-1] for task in page["results"]]
        path = (page["next"] or "").partition("/api/v1")[2]
        assert len(path) < 8000

    assert seen == ["0", "1", "2"]
