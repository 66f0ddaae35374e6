"""GET /tasks and GET /trash: which rows there are, and when a client is told that it has them already."""

import datetime as dt
from urllib.parse import quote
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from tasks import reads
from tasks.models import Clock, Task
from tests.support.assertions import assert_error
from tests.support.caller import Caller
from tests.support.tasks import create_task, trashed

NOON = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
OPEN, DONE, GONE, UNKNOWN_ID = (str(UUID(int=number)) for number in (1, 2, 3, 99))


def stored(owner, *rows):
    """Tasks with ids and times of a test's own choice, which no request can give them."""
    Clock.objects.create(owner=owner, tick=len(rows))
    Task.objects.bulk_create(Task(owner=owner, version=number, **row) for number, row in enumerate(rows, 1))


def titles(caller, path):
    response = caller("get", path)
    assert response.status_code == 200, response.content
    return [task["title"] for task in response.json()["results"]]


def test_it_gives_the_newest_first(as_alice):
    first, second = (
        create_task(as_alice, "milk"),
        create_task(as_alice, "bread", due_at="2030-01-01T12:00:00Z"),
    )

    assert as_alice("get", "/tasks").json() == {"results": [second, first], "next": None}


def test_the_trash_gives_the_last_thrown_away_first(as_alice):
    first, second = trashed(as_alice, title="milk"), trashed(as_alice, title="bread")
    create_task(as_alice, "kept")

    assert as_alice("get", "/trash").json() == {"results": [second, first], "next": None}


@pytest.mark.parametrize("path", ["/tasks", "/trash"])
def test_a_task_has_these_fields_in_this_order(as_alice, path):
    create_task(as_alice)
    trashed(as_alice)

    (shown,) = as_alice("get", path).json()["results"]

    assert " ".join(shown) == (
        "id title description completed completed_at priority due_at created_at updated_at deleted_at version"
    )


@pytest.mark.parametrize("path", ["/tasks", "/trash"])
def test_nothing_is_an_empty_page(as_alice, path):
    assert as_alice("get", path).json() == {"results": [], "next": None}


@pytest.fixture
def around_noon(alice):
    """Three tasks a microsecond apart in every column, one without a due time; their twins in the trash."""
    columns = [
        ("before", NOON - MICROSECOND, NOON - MICROSECOND, 0, True),
        ("exact", NOON, NOON, 1, False),
        ("later", NOON + MICROSECOND, NOON + MICROSECOND, 2, False),
        ("undated", NOON, None, 3, True),
    ]
    common = [
        {"title": title, "due_at": due_at, "priority": priority, "created_at": time, "updated_at": time}
        | {"completed": completed, "completed_at": NOON if completed else None}
        for title, time, due_at, priority, completed in columns
    ]
    stored(alice, *common, *({**row, "deleted_at": NOON} for row in common))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "before exact later undated"),
        ("completed=true", "before undated"),
        ("completed=false", "exact later"),
        ("priority=0", "before"),
        ("priority=1", "exact"),
        ("priority=2", "later"),
        ("priority=3", "undated"),
        ("due=none", "undated"),
        ("due_before=2030-01-01T12:00:00Z", "before"),
        ("due_before=2030-01-01T12:00:00.000001Z", "before exact"),
        ("due_before=2030-01-01T14:00:00%2B02:00", "before"),
        ("due_before=9999-12-31T23:59:59.999999Z", "before exact later"),
        ("due_after=2030-01-01T12:00:00Z", "later"),
        ("due_after=2030-01-01T11:59:59.999999Z", "exact later"),
        ("due_after=2030-01-01T07:00:00-05:00", "later"),
        ("due_after=0001-01-01T00:00:00Z", "before exact later"),
        ("created_before=2030-01-01T12:00:00Z", "before"),
        ("created_before=2030-01-01T12:00:00.000001Z", "before exact undated"),
        ("created_after=2030-01-01T12:00:00Z", "later"),
        ("created_after=2030-01-01T11:59:59.999999Z", "exact later undated"),
        ("updated_after=2030-01-01T12:00:00Z", "later"),
        ("updated_after=2030-01-01T11:59:59.999999Z", "exact later undated"),
        ("completed=true&due=none", "undated"),
        ("completed=true&priority=1", ""),
        ("completed=false&priority=1&q=EX", "exact"),
        ("due=none&due_after=2030-01-01T00:00:00Z", ""),
        ("due_after=2030-01-01T11:59:59.999999Z&due_before=2030-01-01T12:00:00.000001Z", "exact"),
    ],
)
def test_a_filter_lets_through_what_it_names_and_never_the_trash(as_alice, around_noon, query, expected):
    assert " ".join(titles(as_alice, f"/tasks?ordering=title&{query}")) == expected


@pytest.mark.parametrize(
    ("query", "expected"), [("overdue=true", "late"), ("overdue=false", "done now soon undated")]
)
def test_overdue_is_what_is_open_and_was_due_before_now(as_alice, alice, monkeypatch, query, expected):
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    late = {"title": "late", "due_at": now - MICROSECOND}
    stored(
        alice,
        late,
        {**late, "title": "now", "due_at": now},
        {**late, "title": "soon", "due_at": now + MICROSECOND},
        {**late, "title": "undated", "due_at": None},
        {**late, "title": "done", "completed": True, "completed_at": now},
        {**late, "title": "gone", "deleted_at": now},
    )

    assert " ".join(titles(as_alice, f"/tasks?ordering=title&{query}")) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("milk", ["Buy MILK", "shop"]),
        (" MILK ", ["Buy MILK", "shop"]),
        ("y mI", ["Buy MILK"]),
        ("milks\nand", ["shop"]),
        ("%", ["100% done"]),
        ("_", ["snake_case"]),
        ("\\", [r"back\slash"]),
        (r"\%", []),
        ("'", ["it's"]),
        ('"', ['say "hi"']),
        ("' OR 1=1 --", []),
        ("риве", ["Привет"]),
        pytest.param("ПРИВЕТ", ["Привет"], marks=pytest.mark.postgres),  # SQLite folds ASCII only.
        ("ïV", ["naïve"]),
        ("naive", []),
        ("🙂", []),
        ("x" * 200, []),
    ],
)
def test_q_is_searched_for_as_it_is_but_for_the_case(as_alice, alice, bob, words, expected):
    names = ["Buy MILK", "100% done", "100 percent", "snake_case", "snake case", r"back\slash", "it's"]
    rows = [{"title": name} for name in [*names, 'say "hi"', "Привет", "naïve"]]
    rows.append({"title": "shop", "description": "Two milks\nand tea"})
    stored(alice, *rows, *({**row, "deleted_at": NOON} for row in rows))
    stored(bob, {"title": r"milk % _ \ ' "})

    assert titles(as_alice, f"/tasks?ordering=title&q={quote(words)}") == expected
    assert sorted(titles(as_alice, f"/trash?q={quote(words)}")) == expected


VALID = {"q": "milk", "completed": "true", "priority": "1", "due": "none", "overdue": "false"}
VALID |= {"limit": "10", "ordering": "title", "cursor": "WzEsMl0:AAAA"}
TIMES = ["due_before", "due_after", "created_before", "created_after", "updated_after"]
VALID |= dict.fromkeys(TIMES, "2030-01-01T12:00:00Z")


@pytest.mark.parametrize("name", VALID)
@pytest.mark.parametrize(
    "query", ["{0}=", "{0}=%00", "{0}=%00{1}", "{0}={1}%00", "{0}=%ff", "{0}={1}&{0}={1}", "{0}X={1}"]
)
def test_a_parameter_is_never_empty_broken_repeated_or_mistyped(as_alice, name, query):
    response = as_alice("get", f"/tasks?{query.format(name, VALID[name])}")

    assert_error(response, 400, "VALIDATION_ERROR", field=f"{name}X" if "X" in query else name)


WRONG = {
    "completed": "maybe null",
    "overdue": "2",
    "due": "today",
    "priority": "4 -1 high",
    "limit": "0 201 -1 abc 1.5",
    "ordering": "owner deleted_at --title title,priority",
    "offset": "10",
    "q": "%20 " + "x" * 201,
    "cursor": "x" * 5001,
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values.split()]
)
def test_an_unknown_value_is_refused_by_name(as_alice, name, value):
    assert_error(as_alice("get", f"/tasks?{name}={value}"), 400, "VALIDATION_ERROR", field=name)


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize(
    ("value", "constraint"),
    [
        ("2030-01-01T12:00:00", "offset"),
        ("2030-01-01", "offset"),
        ("2030-01-01T12:00:00+00:00", "invalid"),  # A plus that was not escaped arrives as a space.
        ("2030-02-30T12:00:00Z", "invalid"),
        ("tomorrow", "invalid"),
        ("0001-01-01T00:00:00%2B01:00", "overflow"),
    ],
)
def test_a_time_is_one_moment_or_refused(as_alice, name, value, constraint):
    error = assert_error(as_alice("get", f"/tasks?{name}={value}"), 400, "VALIDATION_ERROR", field=name)

    assert error["details"]["constraint"] == constraint


@pytest.mark.parametrize("name", [name for name in VALID if name not in {"q", "limit", "cursor"}])
def test_the_trash_takes_none_of_the_filters_but_q(as_alice, name):
    assert_error(as_alice("get", f"/trash?{name}={VALID[name]}"), 400, "VALIDATION_ERROR", field=name)


LISTS = ["/tasks", "/tasks?priority=2&ordering=title", "/tasks?limit=1", "/trash", "/users/me/trash"]


@pytest.fixture
def known(alice, as_alice):
    """The ETag of each list of Alice's, who has a task of each kind."""
    stored(
        alice,
        {"id": OPEN, "title": "open"},
        {"id": DONE, "title": "done", "completed": True, "completed_at": NOON},
        {"id": GONE, "title": "gone", "deleted_at": NOON},
    )
    return {path: as_alice("get", path)["ETag"] for path in LISTS}


def asked_again(caller, known):
    """What each list is answered with to a client that knows these ETags."""
    return {caller("get", path, **{"If-None-Match": tag}).status_code for path, tag in known.items()}


def both(verb, *ids):
    return {"operations": [{"op": verb, "id": one} for one in ids]}


@pytest.mark.parametrize("path", LISTS)
def test_an_unchanged_list_is_304_and_reads_no_task(as_alice, known, path):
    statements = []

    def note(execute, sql, *rest):
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        response = as_alice("get", path, **{"If-None-Match": known[path]})

    assert (response.status_code, response.content) == (304, b"")
    assert response["ETag"] == known[path]
    (statement,) = statements  # The caller.
    assert "accounts_user" in statement
    assert "tasks_task" not in statement


def test_the_etag_is_strong(known):
    assert [tag for tag in known.values() if not (tag[0] == tag[-1] == '"' and len(tag) > 2)] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/tasks", {"title": "new"}),
        ("patch", f"/tasks/{OPEN}", {"priority": 2}),
        ("put", f"/tasks/{OPEN}", {"title": "put"}),
        ("post", f"/tasks/{OPEN}/complete", None),
        ("post", f"/tasks/{DONE}/reopen", None),
        ("delete", f"/tasks/{OPEN}", None),
        ("post", f"/trash/{GONE}/restore", None),
        ("delete", f"/trash/{GONE}", None),
        ("delete", "/trash", None),
        ("post", "/tasks/bulk", both("complete", DONE, OPEN)),
    ],
)
def test_every_write_changes_the_etag(as_alice, known, method, path, body):
    assert as_alice(method, path, body).status_code in (200, 201)
    assert asked_again(as_alice, known) == {200}


@pytest.mark.parametrize(
    ("method", "path", "body", "if_match", "status"),
    [
        # Reads.
        ("get", "/tasks?overdue=true", None, "*", 200),
        ("get", f"/tasks/{OPEN}", None, "*", 200),
        ("get", f"/trash/{GONE}", None, "*", 200),
        ("get", "/tasks/stats", None, "*", 200),
        ("get", "/sync", None, "*", 200),
        # What is so already.
        ("patch", f"/tasks/{OPEN}", {}, "*", 200),
        ("post", f"/tasks/{DONE}/complete", None, "*", 200),
        ("post", f"/tasks/{OPEN}/reopen", None, "*", 200),
        ("delete", f"/tasks/{GONE}", None, "*", 200),
        ("post", f"/trash/{OPEN}/restore", None, "*", 200),
        ("post", "/tasks/bulk", both("reopen", OPEN, OPEN), "*", 200),
        # What is refused.
        ("post", "/tasks", {"title": " "}, "*", 400),
        ("put", f"/tasks/{OPEN}", {"priority": 1}, "*", 400),
        ("patch", f"/tasks/{OPEN}", {"version": 9}, "*", 400),
        ("patch", f"/tasks/{UNKNOWN_ID}", {"title": "x"}, "*", 404),
        ("post", f"/tasks/{GONE}/complete", None, "*", 404),
        ("post", f"/trash/{UNKNOWN_ID}/restore", None, "*", 404),
        ("delete", f"/trash/{OPEN}", None, "*", 404),
        ("patch", f"/tasks/{OPEN}", {"title": "x"}, '"9"', 412),
        ("delete", f"/tasks/{OPEN}", None, '"9"', 412),
        ("delete", f"/trash/{GONE}", None, '"9"', 412),
        ("post", "/tasks/bulk", both("complete", OPEN, UNKNOWN_ID), "*", 404),
    ],
)
def test_nothing_else_changes_the_etag(as_alice, known, method, path, body, if_match, status):
    assert as_alice(method, path, body, **{"If-Match": if_match}).status_code == status
    assert asked_again(as_alice, known) == {304}


def test_emptying_an_empty_trash_does_not_change_the_etag(as_alice, known):
    as_alice("delete", "/trash")
    emptied = {path: as_alice("get", path)["ETag"] for path in LISTS}

    assert as_alice("delete", "/trash").json() == {"purged": 0}
    assert asked_again(as_alice, emptied) == {304}


def test_one_persons_etag_says_nothing_of_anothers_lists(as_alice, as_bob, known):
    for title in ("one", "two", "three"):  # So that Bob's clock shows what Alice's does.
        create_task(as_bob, title)

    assert asked_again(as_alice, known) == {304}
    assert asked_again(as_bob, known) == {200}


def test_the_etag_is_the_same_for_a_script_with_a_personal_token(as_alice, known):
    body = {"name": "script", "scopes": ["tasks:read"]}
    script = Caller(as_alice("post", "/me/tokens", body).json()["token"])

    assert asked_again(script, known) == {304}
    create_task(as_alice)
    assert asked_again(script, known) == {200}


def test_the_etag_changes_with_the_key_that_signs_the_way_to_the_next_page(as_alice, known, settings):
    """Else a client that is sent back to the first page is told that it has it, with its dead `next`."""
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key, of at least thirty-two bytes"
    reads._format.cache_clear()
    answers = asked_again(as_alice, known)
    reads._format.cache_clear()

    assert answers == {200}


@pytest.mark.parametrize("path", ["/tasks", "/trash"])
@pytest.mark.parametrize("held", ["*", None])
def test_a_forged_cursor_is_refused_also_if_nothing_has_changed(as_alice, known, path, held):
    response = as_alice("get", f"{path}?cursor=forged", **{"If-None-Match": held or known[path]})

    assert_error(response, 400, "INVALID_CURSOR")


@pytest.mark.parametrize("query", ["overdue=true", "overdue=false", "overdue=false&priority=0"])
def test_a_list_that_changes_with_the_time_has_no_etag(as_alice, known, query):
    for held in (known["/tasks"], "*"):
        response = as_alice("get", f"/tasks?{query}", **{"If-None-Match": held})

        assert response.status_code == 200
        assert "ETag" not in response


@pytest.mark.parametrize("path", ["/tasks?limit=200", "/tasks?limit=200&overdue=false", "/trash?limit=200"])
@pytest.mark.parametrize("rows", [10, 100])
def test_a_page_costs_two_queries_however_long(as_alice, alice, django_assert_num_queries, path, rows):
    deleted_at = NOON if path.startswith("/trash") else None
    stored(alice, *({"title": "milk", "deleted_at": deleted_at} for _ in range(rows)))

    # the caller; the page
    with django_assert_num_queries(2):
        response = as_alice("get", path)

    assert len(response.json()["results"]) == rows


def test_the_stats_cost_two_queries(as_alice, known, django_assert_num_queries):
    # the caller; the counts
    with django_assert_num_queries(2):
        response = as_alice("get", "/tasks/stats")

    assert response.json() == {"open": 1, "completed": 1, "overdue": 0, "trashed": 1}
