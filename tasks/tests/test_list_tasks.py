"""GET /tasks and GET /trash: filters, searches and ETags."""

import datetime as dt
from urllib.parse import quote
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.ledger import reads
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID, Caller
from tests.support.tasks import create_task, store_tasks, trashed

NOON = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
OPEN, DONE, TRASHED = (str(UUID(int=number)) for number in (1, 2, 3))


def titles(caller, path):
    response = caller("get", path)
    assert response.status_code == 200, response.content
    return [task["title"] for task in response.json()["results"]]


def test_tasks_are_listed_newest_first(as_alice):
    first = create_task(as_alice, "milk")
    second = create_task(as_alice, "bread", due_at="2030-01-01T12:00:00Z")

    assert as_alice("get", "/tasks").json() == {"results": [second, first], "next": None, "next_cursor": None}


def test_the_trash_is_listed_most_recently_deleted_first(as_alice):
    first, second = trashed(as_alice, title="milk"), trashed(as_alice, title="bread")
    create_task(as_alice, "kept")

    assert as_alice("get", "/trash").json() == {"results": [second, first], "next": None, "next_cursor": None}


def test_ids_selects_tasks_and_ignores_those_that_do_not_exist(as_alice):
    one, _, three = (create_task(as_alice, title) for title in ("one", "two", "three"))
    found = as_alice("get", f"/tasks?ids={one['id']},{three['id'].upper()},{UNKNOWN_ID}").json()["results"]

    assert found == [three, one]


def test_ids_and_fields_may_be_repeated_as_generated_clients_do(as_alice):
    one, two, three = (create_task(as_alice, title)["id"] for title in ("one", "two", "three"))
    query = f"ids={one}&ids={two},{three}&fields=title&fields=priority"

    for task in as_alice("get", f"/tasks?{query}").json()["results"]:
        assert task.keys() == {"id", "title", "priority", "version"}
    assert len(as_alice("get", f"/tasks?{query}").json()["results"]) == 3
    too_many = "&".join([f"ids={UNKNOWN_ID}"] * 101)
    assert_error(as_alice("get", f"/tasks?{too_many}"), 400, "VALIDATION_ERROR", constraint="max_length")


@pytest.mark.parametrize(
    ("value", "constraint"), [("", "invalid"), ("x", "invalid"), (",".join([UNKNOWN_ID] * 101), "max_length")]
)
def test_ids_takes_up_to_100_ids(as_alice, value, constraint):
    error = assert_error(as_alice("get", f"/tasks?ids={value}"), 400, "VALIDATION_ERROR")

    assert error["details"]["constraint"] == constraint
    assert error["details"]["field"].startswith("ids")


def test_a_task_has_the_id_of_its_owner(as_alice, alice):
    assert create_task(as_alice)["user_id"] == str(alice.pk)
    assert as_alice("get", "/tasks").json()["results"][0]["user_id"] == str(alice.pk)


@pytest.mark.parametrize("path", ["/tasks", "/trash"])
def test_a_listed_task_has_all_fields_in_their_order(as_alice, path):
    create_task(as_alice)
    trashed(as_alice)

    [task] = as_alice("get", path).json()["results"]

    assert " ".join(task) == (
        "id user_id title description completed completed_at priority project parent position labels "
        "due_date due_at due_zone start_date repeat series created_at updated_at deleted_at version"
    )


@pytest.mark.parametrize("path", ["/tasks", "/trash"])
def test_an_empty_list_is_an_empty_page(as_alice, path):
    assert as_alice("get", path).json() == {"results": [], "next": None, "next_cursor": None}


@pytest.fixture
def around_noon(alice):
    """Three tasks a microsecond apart in every column, one without a due time; copies in the trash."""
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
    store_tasks(alice, *common, *({**row, "deleted_at": NOON} for row in common))


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
def test_a_filter_returns_only_matching_tasks_and_none_of_the_trash(as_alice, around_noon, query, expected):
    assert " ".join(titles(as_alice, f"/tasks?ordering=title&{query}")) == expected


@pytest.mark.parametrize(
    ("query", "expected"), [("overdue=true", "late"), ("overdue=false", "done now soon undated")]
)
def test_an_open_task_that_was_due_before_now_is_overdue(as_alice, alice, monkeypatch, query, expected):
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    late = {"title": "late", "due_at": now - MICROSECOND}
    store_tasks(
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
        ("opTwo", []),  # not from the title into the description
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
def test_q_matches_literally_and_ignores_case(as_alice, alice, bob, words, expected):
    names = ["Buy MILK", "100% done", "100 percent", "snake_case", "snake case", r"back\slash", "it's"]
    rows = [{"title": name} for name in [*names, 'say "hi"', "Привет", "naïve"]]
    rows.append({"title": "shop", "description": "Two milks\nand tea"})
    store_tasks(alice, *rows, *({**row, "deleted_at": NOON} for row in rows))
    store_tasks(bob, {"title": r"milk % _ \ ' "})

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
def test_an_empty_broken_repeated_or_misspelled_parameter_is_refused(as_alice, name, query):
    response = as_alice("get", f"/tasks?{query.format(name, VALID[name])}")

    assert_error(response, 400, "VALIDATION_ERROR", field=f"{name}X" if "X" in query else name)


INVALID = {
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
    ("name", "value"), [(name, value) for name, values in INVALID.items() for value in values.split()]
)
def test_an_invalid_value_is_refused_by_the_name_of_its_parameter(as_alice, name, value):
    assert_error(as_alice("get", f"/tasks?{name}={value}"), 400, "VALIDATION_ERROR", field=name)


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize(
    ("value", "constraint"),
    [
        ("2030-01-01T12:00:00", "offset"),
        ("2030-01-01", "offset"),
        ("2030-01-01T12:00:00+00:00", "plus"),  # Not escaped, it arrives as a space.
        ("2030-02-30T12:00:00Z", "invalid"),
        ("tomorrow", "invalid"),
        ("0001-01-01T00:00:00%2B01:00", "overflow"),
    ],
)
def test_an_ambiguous_or_invalid_time_is_refused(as_alice, name, value, constraint):
    response = as_alice("get", f"/tasks?{name}={value}")

    assert_error(response, 400, "VALIDATION_ERROR", field=name, constraint=constraint)


@pytest.mark.parametrize("name", [name for name in VALID if name not in {"q", "limit", "cursor"}])
def test_the_trash_accepts_no_filter_but_q(as_alice, name):
    assert_error(as_alice("get", f"/trash?{name}={VALID[name]}"), 400, "VALIDATION_ERROR", field=name)


LISTS = ["/tasks", "/tasks?priority=2&ordering=title", "/tasks?limit=1", "/trash", "/users/me/trash"]


@pytest.fixture
def etags(alice, as_alice):
    """The ETag of each list of Alice, who has an open, a completed and a trashed task."""
    store_tasks(
        alice,
        {"id": OPEN, "title": "open"},
        {"id": DONE, "title": "done", "completed": True, "completed_at": NOON},
        {"id": TRASHED, "title": "gone", "deleted_at": NOON},
    )
    return {path: as_alice("get", path)["ETag"] for path in LISTS}


def statuses(caller, etags):
    """The statuses of all lists for a client that has these ETags."""
    return {caller("get", path, **{"If-None-Match": tag}).status_code for path, tag in etags.items()}


def bulk(verb, *ids):
    return {"operations": [{"op": verb, "id": id_} for id_ in ids]}


@pytest.mark.parametrize("path", LISTS)
def test_an_unchanged_list_is_304_without_reading_a_task(as_alice, etags, path):
    with CaptureQueriesContext(connection) as queries:
        response = as_alice("get", path, **{"If-None-Match": etags[path]})

    assert (response.status_code, response.content) == (304, b"")
    assert response["ETag"] == etags[path]
    [query] = queries  # the user with the clock
    assert "accounts_user" in query["sql"]
    assert "tasks_task" not in query["sql"]


def test_the_etag_of_a_list_is_strong(etags):
    assert [tag for tag in etags.values() if not (tag[0] == tag[-1] == '"' and len(tag) > 2)] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/tasks", {"title": "new"}),
        ("patch", f"/tasks/{OPEN}", {"priority": 2}),
        ("put", f"/tasks/{OPEN}", {"title": "put"}),
        ("post", f"/tasks/{OPEN}/complete", None),
        ("post", f"/tasks/{DONE}/reopen", None),
        ("delete", f"/tasks/{OPEN}", None),
        ("post", f"/trash/{TRASHED}/restore", None),
        ("delete", f"/trash/{TRASHED}", None),
        ("delete", "/trash", None),
        ("post", "/bulk", bulk("complete", DONE, OPEN)),
    ],
)
def test_every_write_that_changes_a_task_changes_the_etags(as_alice, etags, method, path, body):
    assert as_alice(method, path, body).status_code in (200, 201)
    assert statuses(as_alice, etags) == {200}


@pytest.mark.parametrize(
    ("method", "path", "body", "if_match", "status"),
    [
        # Reads.
        ("get", "/tasks?overdue=true", None, "*", 200),
        ("get", f"/tasks/{OPEN}", None, "*", 200),
        ("get", f"/trash/{TRASHED}", None, "*", 200),
        ("get", "/tasks/stats", None, "*", 200),
        ("get", "/sync", None, "*", 200),
        # Writes without effect.
        ("patch", f"/tasks/{OPEN}", {}, "*", 200),
        ("post", f"/tasks/{DONE}/complete", None, "*", 200),
        ("post", f"/tasks/{OPEN}/reopen", None, "*", 200),
        ("delete", f"/tasks/{TRASHED}", None, "*", 200),
        ("post", f"/trash/{OPEN}/restore", None, "*", 200),
        ("post", "/bulk", bulk("reopen", OPEN, OPEN), "*", 200),
        # Refused writes.
        ("post", "/tasks", {"title": " "}, "*", 400),
        ("put", f"/tasks/{OPEN}", {"priority": 1}, "*", 400),
        ("patch", f"/tasks/{OPEN}", {"version": 9}, "*", 400),
        ("patch", f"/tasks/{UNKNOWN_ID}", {"title": "x"}, "*", 404),
        ("post", f"/tasks/{TRASHED}/complete", None, "*", 404),
        ("post", f"/trash/{UNKNOWN_ID}/restore", None, "*", 404),
        ("delete", f"/trash/{OPEN}", None, "*", 404),
        ("patch", f"/tasks/{OPEN}", {"title": "x"}, '"9"', 412),
        ("delete", f"/tasks/{OPEN}", None, '"9"', 412),
        ("delete", f"/trash/{TRASHED}", None, '"9"', 412),
        ("post", "/bulk", bulk("complete", OPEN, UNKNOWN_ID), "*", 404),
    ],
)
def test_a_request_without_effect_keeps_the_etags(as_alice, etags, method, path, body, if_match, status):
    assert as_alice(method, path, body, **{"If-Match": if_match}).status_code == status
    assert statuses(as_alice, etags) == {304}


def test_emptying_an_empty_trash_keeps_the_etags(as_alice, etags):
    as_alice("delete", "/trash")
    emptied = {path: as_alice("get", path)["ETag"] for path in LISTS}

    assert as_alice("delete", "/trash").json() == {"purged": 0}
    assert statuses(as_alice, emptied) == {304}


def test_the_etag_of_one_user_does_not_match_the_list_of_another(as_alice, as_bob, etags):
    for title in ("one", "two", "three"):  # Now the clocks of Bob and Alice are equal.
        create_task(as_bob, title)

    assert statuses(as_alice, etags) == {304}
    assert statuses(as_bob, etags) == {200}


def test_a_session_and_a_personal_token_of_one_user_get_the_same_etags(as_alice, etags):
    body = {"name": "script", "scopes": ["tasks:read"]}
    script = Caller(as_alice("post", "/me/tokens", body).json()["token"])

    assert statuses(script, etags) == {304}
    create_task(as_alice)
    assert statuses(script, etags) == {200}


def test_the_etag_changes_with_the_secret_key(as_alice, etags, settings):
    """Otherwise a client would keep a first page whose `next` is no longer valid."""
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key, of at least thirty-two bytes"
    reads._format.cache_clear()
    after = statuses(as_alice, etags)
    reads._format.cache_clear()

    assert after == {200}


@pytest.mark.parametrize("path", ["/tasks", "/trash"])
@pytest.mark.parametrize("if_none_match", ["*", None])
def test_a_forged_cursor_is_refused_even_if_the_list_is_unchanged(as_alice, etags, path, if_none_match):
    response = as_alice("get", f"{path}?cursor=forged", **{"If-None-Match": if_none_match or etags[path]})

    assert_error(response, 400, "INVALID_CURSOR")


@pytest.mark.parametrize("query", ["overdue=true", "overdue=false", "overdue=false&priority=0"])
def test_a_list_filtered_by_overdue_has_no_etag(as_alice, etags, query):
    for if_none_match in (etags["/tasks"], "*"):
        response = as_alice("get", f"/tasks?{query}", **{"If-None-Match": if_none_match})

        assert response.status_code == 200
        assert "ETag" not in response


@pytest.mark.parametrize("path", ["/tasks?limit=200", "/tasks?limit=200&overdue=false", "/trash?limit=200"])
@pytest.mark.parametrize("rows", [10, 100])
def test_a_page_of_any_length_costs_two_queries(as_alice, alice, django_assert_num_queries, path, rows):
    deleted_at = NOON if path.startswith("/trash") else None
    store_tasks(alice, *({"title": "milk", "deleted_at": deleted_at} for _ in range(rows)))

    # the user; the page
    with django_assert_num_queries(2):
        response = as_alice("get", path)

    assert len(response.json()["results"]) == rows
