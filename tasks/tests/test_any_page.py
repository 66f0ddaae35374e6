"""Lists agree with a model in Python, whatever the tasks, filters, orders and writes between pages are."""

import datetime as dt
from urllib.parse import quote, urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.assertions import assert_error
from tests.support.caller import pages
from tests.support.generated import one_example
from tests.support.tasks import create_task, store_tasks

pytestmark = pytest.mark.django_db

TIMES = [dt.datetime(year, 1, 1, 12, tzinfo=dt.UTC) for year in (2000, 2001, 2998, 2999)]
DAYS = [time.date() for time in TIMES]
WORDS = ["milk", "Milk 100%", "a_b", "a\\b", "ab", "tea"]
COLUMNS = ["created_at", "updated_at", "due", "priority", "title"]

times, days = st.sampled_from(TIMES), st.sampled_from(DAYS)
never, completed_at = {"due_at": None, "due_date": None}, {"completed": True, "completed_at": TIMES[0]}
rows = st.builds(
    lambda due, completion, **row: {**row, **due, **completion},
    st.one_of(
        st.just(never),
        times.map(lambda time: {**never, "due_at": time}),
        days.map(lambda day: {**never, "due_date": day}),
    ),
    st.sampled_from([completed_at, {"completed": False, "completed_at": None}]),
    id=st.uuids(),
    title=st.sampled_from(WORDS),
    description=st.sampled_from(["", *WORDS]),
    priority=st.integers(0, 3),
    start_date=st.none() | days,
    created_at=times,
    deleted_at=st.none() | st.none() | times,
)
lists_of_rows = st.lists(rows, min_size=6, max_size=12, unique_by=lambda row: row["id"])


def is_due(row, time, day):
    """Whether the task's time or day, if it has one, fulfils the condition for it."""
    return (row["due_at"] is not None and time(row["due_at"])) or (
        row["due_date"] is not None and day(row["due_date"])
    )


def is_overdue(row):
    past = TIMES[1]  # The time of the requests is between 2001 and 2998.
    return not row["completed"] and is_due(row, lambda time: time <= past, lambda day: day <= past.date())


# Each filter with its values and the rows that it keeps. The users' time zone is UTC.
FILTERS = {
    "completed": (st.booleans(), lambda row, value: row["completed"] == value),
    "priority": (st.integers(0, 3), lambda row, value: row["priority"] == value),
    "due": (st.just("none"), lambda row, value: row["due_at"] is row["due_date"] is None),
    "due_before": (times, lambda row, value: row["due_at"] is not None and row["due_at"] < value),
    "due_after": (times, lambda row, value: row["due_at"] is not None and row["due_at"] > value),
    "due_from": (
        days,
        lambda row, value: is_due(row, lambda time: time.date() >= value, lambda day: day >= value),
    ),
    "due_until": (
        days,
        lambda row, value: is_due(row, lambda time: time.date() <= value, lambda day: day <= value),
    ),
    "overdue": (st.booleans(), lambda row, value: is_overdue(row) == value),
    "starts_until": (days, lambda row, value: row["start_date"] is not None and row["start_date"] <= value),
    "available": (st.booleans(), lambda row, value: (row["start_date"] in (None, *DAYS[:2])) == value),
    "created_before": (times, lambda row, value: row["created_at"] < value),
    "created_after": (times, lambda row, value: row["created_at"] > value),
    "q": (
        st.sampled_from(["m", "MILK", "%", "_", "\\", "a", "b", "tea", "nothing"]),
        lambda row, value: any(value.lower() in row[column].lower() for column in ("title", "description")),
    ),
}
# Only a few together, because many select nothing.
filters = st.sets(st.sampled_from([*FILTERS]), max_size=2).flatmap(
    lambda names: st.fixed_dictionaries({name: FILTERS[name][0] for name in sorted(names)})
)
orderings = st.sampled_from([sign + column for column in COLUMNS for sign in ("", "-")])


def as_query(**parameters):
    def text(value):
        return value.isoformat() if isinstance(value, dt.date) else str(value).lower()

    return urlencode({name: value if name == "q" else text(value) for name, value in parameters.items()})


def due_by(row):
    return row["due_at"] or (row["due_date"] and dt.datetime.combine(row["due_date"], dt.time.max, dt.UTC))


def place(row, ordering):
    """The key by which a list is sorted. Missing values come last in both directions."""
    column = ordering.removeprefix("-")
    value = due_by(row) if column == "due" else row[column]
    return (value is None) != ordering.startswith("-"), value, str(row["id"])


def expected_ids(rows, ordering, filters):
    kept = [
        row
        for row in rows
        if row["deleted_at"] is None and all(FILTERS[name][1](row, value) for name, value in filters.items())
    ]
    kept.sort(key=lambda row: place(row, ordering), reverse=ordering.startswith("-"))
    return [str(row["id"]) for row in kept]


def store(owner, rows):
    """Tasks are ordered by their versions, which is the order in which they were changed."""
    for row, task in zip(rows, store_tasks(owner, *rows), strict=True):
        row["updated_at"] = task.version


@given(lists_of_rows, filters, orderings, st.integers(1, 5))
def test_any_filters_select_the_rows_of_the_model_in_its_order(
    as_alice, alice, rows, filters, ordering, limit
):
    with one_example():
        store(alice, rows)

        path = f"/tasks?{as_query(**filters, ordering=ordering, limit=limit)}"
        shown = [task["id"] for page in pages(as_alice, path) for task in page]

        assert shown == expected_ids(rows, ordering, filters)


WRITES = {
    "create": lambda caller, row: create_task(caller, row["title"], priority=row["priority"]),
    "delete": lambda caller, row: caller("delete", f"/tasks/{row['id']}"),
    "restore": lambda caller, row: caller("post", f"/trash/{row['id']}/restore"),
    "purge": lambda caller, row: caller("delete", f"/trash/{row['id']}"),
    "complete": lambda caller, row: caller("post", f"/tasks/{row['id']}/complete"),
    "change": lambda caller, row: caller(
        "patch", f"/tasks/{row['id']}", {"title": "b", "priority": 3, "due_at": None, "due_date": None}
    ),
}
writes = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([*WRITES]), st.integers(0, 11)), max_size=8)


@given(lists_of_rows, orderings, st.integers(1, 3), writes)
def test_pages_have_every_row_that_stays_once_whatever_is_written_between_them(
    as_alice, alice, rows, ordering, limit, writes
):
    with one_example():
        store(alice, rows)
        shown, touched = [], set()

        for number, page in enumerate(pages(as_alice, f"/tasks?{as_query(ordering=ordering, limit=limit)}")):
            shown += [task["id"] for task in page]
            for when, verb, index in writes:
                if when == number:
                    row = rows[index % len(rows)]
                    WRITES[verb](as_alice, row)
                    touched |= {str(row["id"])} if verb != "create" else set()

        expected = [each for each in expected_ids(rows, ordering, {}) if each not in touched]
        assert [each for each in shown if each in expected] == expected


ALPHABET = "ABCXYZabcxyz0189-_:.=~é\x00"


@given(
    orderings,
    st.integers(0, 300),
    st.integers(0, 3),
    st.text(ALPHABET, max_size=3),
)
def test_any_change_of_a_cursor_is_refused(as_alice, ordering, start, length, replacement):
    with one_example():
        for title in ("bread", "milk"):
            create_task(as_alice, title)
        path = f"/tasks?ordering={ordering}&limit=1"
        cursor = as_alice("get", path).json()["next_cursor"]
        start %= len(cursor)
        forged = cursor[:start] + replacement + cursor[start + length :]
        assume(forged != cursor)

        response = as_alice("get", f"{path}&cursor={quote(forged)}")

        assert_error(response, 400, response.json()["error"]["code"])


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_any_text_is_no_cursor(as_alice, text):
    response = as_alice("get", f"/tasks?cursor={quote(text)}")

    assert_error(response, 400, response.json()["error"]["code"])
