"""Promise 1: what Alice owns does not exist for Bob. A route that is not in the table fails here."""

import json
import re
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tasks import models, urls
from tasks.filters import TaskParameters, TrashParameters
from tests.support.assertions import assert_error
from tests.support.caller import Caller
from tests.support.routes import methods_of, patterns
from tests.support.tasks import create_task, trashed

BEER, OAT_MILK = {"title": "beer"}, {"title": "oat milk"}
CREATE, UPDATE = {"op": "create", "data": BEER}, {"op": "update", "id": "{id}", "data": OAT_MILK}

# Every route, with a request in which its owner succeeds; {id} is a task's, under /trash of a trashed one.
ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/tasks", None),
    ("POST", "/tasks", BEER),
    ("POST", "/tasks/bulk", {"operations": [CREATE, UPDATE]}),
    ("GET", "/tasks/stats", None),
    ("GET", "/tasks/{id}", None),
    ("PUT", "/tasks/{id}", OAT_MILK),
    ("PATCH", "/tasks/{id}", OAT_MILK),
    ("DELETE", "/tasks/{id}", None),
    ("POST", "/tasks/{id}/complete", None),
    ("POST", "/tasks/{id}/reopen", None),
    ("GET", "/trash", None),
    ("DELETE", "/trash", None),
    ("GET", "/trash/{id}", None),
    ("DELETE", "/trash/{id}", None),
    ("POST", "/trash/{id}/restore", None),
    ("GET", "/sync", None),
]
WITH_ID = [route for route in ROUTES if "{id}" in route[1]]

# Under which prefix and with which headers, and what the owner is answered to a read and to a write.
WAYS: list[tuple[str, dict[str, str], int, int]] = [
    ("", {}, 200, 200),
    ("/users/me", {}, 200, 200),
    ("/users/{user}", {}, 200, 200),
    ("", {"If-Match": '"{current}"'}, 200, 200),
    ("", {"If-Match": '"{stale}"'}, 200, 412),
    ("", {"If-Match": "*"}, 200, 200),
    ("", {"If-None-Match": '"{current}"'}, 304, 200),
    ("", {"If-None-Match": "*"}, 304, 200),
    ("", {"Idempotency-Key": "a key"}, 200, 200),
]

# Every operation of a bulk that takes an id, and which task it is for.
OPERATIONS: list[tuple[dict[str, Any], str]] = [
    (UPDATE, "live"),
    ({"op": "complete", "id": "{id}"}, "live"),
    ({"op": "reopen", "id": "{id}"}, "live"),
    ({"op": "delete", "id": "{id}"}, "live"),
    ({"op": "restore", "id": "{id}"}, "trashed"),
]

# Every filter and every ordering.
FILTERS = """
q=milk completed=true completed=false priority=2 due=none overdue=true overdue=false
due_before=2002-01-01T00:00:00Z due_after=2000-01-01T00:00:00Z
created_before=2999-01-01T00:00:00Z created_after=2000-01-01T00:00:00Z updated_after=2000-01-01T00:00:00Z
ordering=created_at ordering=updated_at ordering=due_at ordering=priority ordering=title
ordering=-created_at ordering=-updated_at ordering=-due_at ordering=-priority ordering=-title
"""
LISTS = [
    *(f"/tasks?{query}" for query in FILTERS.split()),
    *("/trash?q=milk", "/trash?ordering=deleted_at", "/trash?ordering=-deleted_at"),
]

# A cursor of the first list is none of the second's.
CURSORS = [
    ("/tasks?limit=1", "/tasks?limit=1&ordering=created_at"),
    ("/tasks?limit=1", "/tasks?limit=1&q=milk"),
    ("/tasks?limit=1&q=milk", "/tasks?limit=1"),
    ("/tasks?limit=1", "/trash?limit=1"),
    ("/trash?limit=1", "/tasks?limit=1"),
    ("/tasks?limit=1", "/users/me/tasks?limit=1"),
    ("/users/me/tasks?limit=1", "/tasks?limit=1"),
]

LONG_AGO = "2001-01-01T00:00:00Z"
NEVER = "00000000-0000-4000-8000-000000000000"


def each(routes):
    return pytest.mark.parametrize("route", routes, ids=[f"{method} {path}" for method, path, _ in routes])


def send(caller, route, task, prefix="", **headers):
    method, path, body = route
    body = json.loads(json.dumps(body).replace("{id}", task["id"]))
    return caller(method, prefix + path.format(id=task["id"]), body, **headers)


def own(caller):
    """Some of everything. Alice's and Bob's have equal versions, so that no number tells them apart."""
    new = [
        {"op": "create", "data": {"title": "milk", "due_at": due_at}}
        for due_at in (LONG_AGO, None, None, None)
    ]
    live, done, gone, purged = ids(caller("post", "/tasks/bulk", {"operations": new}).json()["results"])
    changes = [
        {"op": "update", "id": live, "data": {"priority": 2}},
        {"op": "complete", "id": done},
        {"op": "delete", "id": gone},
        {"op": "delete", "id": purged},
    ]
    tasks = caller("post", "/tasks/bulk", {"operations": changes}).json()["results"]
    assert caller("delete", f"/trash/{purged}").json() == {"id": purged, "version": 9, "purged": True}
    return dict(zip(("live", "done", "trashed", "purged"), tasks, strict=True))


@pytest.fixture
def hers(as_alice):
    return own(as_alice)


@pytest.fixture
def his(as_bob):
    return own(as_bob)


def task_for(route, owned):
    return owned["trashed" if route[1].startswith("/trash") else "live"]


def versions_of(task):
    """own() makes four tasks and then changes the four, so each one's first version is less by four."""
    return {"current": task["version"], "stale": task["version"] - 4}


def told(response):
    """All that an answer tells; the id of its request apart, which is new each time."""
    request_id = response["X-Request-ID"]
    headers = str({name: value for name, value in response.items() if value != request_id})
    return response.status_code, headers, response.content.replace(request_id.encode(), b"")


def stored():
    kinds = (models.Task, models.Clock, models.Tombstone)
    return [row for kind in kinds for row in kind.objects.order_by("pk").values()]


def ids(rows):
    return [row["id"] for row in rows]


def test_every_route_is_in_the_table():
    walked = {
        (method, "/" + route.replace("<id:id>", "{id}").replace("<user:user_id>", "{user}"))
        for route, view in patterns(urls.urlpatterns)
        for method in methods_of(view)
    }

    assert walked == {(method, twin + path) for method, path, _ in ROUTES for twin in ("", "/users/{user}")}


@pytest.mark.parametrize(
    ("path", "parameters"), [("/tasks", TaskParameters()), ("/trash", TrashParameters())]
)
def test_every_filter_and_ordering_is_in_the_table(path, parameters):
    asked = [pair for url in LISTS if url.startswith(path) for pair in parse_qsl(urlsplit(url).query)]

    assert {name for name, _ in asked} == parameters.fields.keys() - {"limit", "cursor"}
    assert {value for name, value in asked if name == "ordering"} == {*parameters.fields["ordering"].choices}


@pytest.mark.parametrize(("prefix", "headers", "read", "write"), WAYS)
@each(WITH_ID)
def test_a_strangers_task_is_like_one_that_never_existed(
    as_alice, as_bob, alice, bob, hers, his, route, prefix, headers, read, write
):
    task = task_for(route, hers)
    headers = {name: value.format(**versions_of(task)) for name, value in headers.items()}
    before = stored()

    nobody = send(Caller(), route, task, prefix.format(user=alice.pk), **headers)
    foreign = send(as_bob, route, task, prefix.format(user=bob.pk), **headers)
    never = send(as_bob, route, {"id": NEVER}, prefix.format(user=bob.pk), **headers)

    assert_error(nobody, 401, "NOT_AUTHENTICATED")
    assert_error(foreign, 404, "NOT_FOUND")
    assert told(foreign) == told(never)
    assert stored() == before

    allowed = send(as_alice, route, task, prefix.format(user=alice.pk), **headers)

    assert allowed.status_code == (read if route[0] == "GET" else write)


@each([*WITH_ID, ("HEAD", "/tasks/{id}", None), ("HEAD", "/trash/{id}", None)])
def test_nothing_tells_what_became_of_a_strangers_task(as_alice, as_bob, hers, his, route):
    answers = {told(send(as_bob, route, task)) for task in [*hers.values(), {"id": NEVER}]}

    assert [status for status, _, _ in answers] == [404]
    assert send(as_alice, route, task_for(route, hers)).status_code == 200


@each([route for route in WITH_ID if route[0] == "POST"])
def test_a_strangers_idempotency_key_replays_nothing(as_alice, as_bob, hers, his, route):
    task, key = task_for(route, hers), {"Idempotency-Key": "a key"}

    assert "Idempotent-Replayed" not in send(as_alice, route, task, **key)
    assert send(as_alice, route, task, **key)["Idempotent-Replayed"] == "true"
    assert told(send(as_bob, route, task, **key)) == told(send(as_bob, route, {"id": NEVER}))


@pytest.mark.parametrize(("if_match", "status"), [(None, 200), ("current", 200), ("stale", 412)])
@pytest.mark.parametrize("first", [[], [CREATE]], ids=["alone", "second"])
@pytest.mark.parametrize(("operation", "which"), OPERATIONS, ids=[one["op"] for one, _ in OPERATIONS])
def test_a_strangers_task_in_a_bulk_is_like_one_that_never_existed(
    as_alice, as_bob, hers, his, operation, which, first, if_match, status
):
    guard = {"if_match": versions_of(hers[which])[if_match]} if if_match else {}
    route = ("POST", "/tasks/bulk", {"operations": [*first, {**operation, **guard}]})
    before = stored()

    foreign, never = send(as_bob, route, hers[which]), send(as_bob, route, {"id": NEVER})

    assert_error(send(Caller(), route, hers[which]), 401, "NOT_AUTHENTICATED")
    assert assert_error(foreign, 404, "NOT_FOUND")["details"] == {"field": f"operations.{len(first)}.id"}
    assert told(foreign) == told(never)
    assert stored() == before

    assert send(as_alice, route, hers[which]).status_code == status


@pytest.mark.parametrize("name", ["owner", "owner_id", "user", "user_id", "id"])
@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/tasks", None),
        ("PUT", "/tasks/{id}", None),
        ("PATCH", "/tasks/{id}", None),
        ("POST", "/tasks/bulk", CREATE),
        ("POST", "/tasks/bulk", UPDATE),
    ],
)
def test_a_body_names_no_owner_and_no_id(as_bob, alice, hers, his, method, path, operation, name):
    def request(data):
        body = {"operations": [{**operation, "data": data}]} if operation else data
        return send(as_bob, (method, path, body), his["live"])

    foreign = hers["live"]["id"] if name == "id" else str(alice.pk)
    before = stored()
    refused = request({**BEER, name: foreign})

    assert_error(refused, 400, "VALIDATION_ERROR", field=f"operations.0.{name}" if operation else name)
    assert stored() == before
    assert request(BEER).status_code in (200, 201)


@each(ROUTES)
def test_a_query_names_no_owner(as_bob, alice, hers, his, route):
    method, path, body = route
    path += f"?owner={alice.pk}&owner_id={alice.pk}&user_id={alice.pk}"
    before = stored()

    error = assert_error(send(as_bob, (method, path, body), task_for(route, his)), 400, "VALIDATION_ERROR")

    assert [one["field"] for one in error["details"]["errors"]] == ["owner", "owner_id", "user_id"]
    assert stored() == before


@pytest.mark.parametrize("url", LISTS)
def test_a_list_holds_no_task_of_a_stranger(as_alice, as_bob, hers, his, url):
    for caller, owned in [(as_alice, hers), (as_bob, his)]:
        found = set(ids(caller("get", url).json()["results"]))

        assert found
        assert found <= set(ids(owned.values()))


def cursor_of(caller, url):
    """Of the next page; two tasks are in either list."""
    trashed(caller)
    [cursor] = parse_qs(urlsplit(caller("get", url).json()["next"]).query)["cursor"]
    return cursor


@pytest.mark.parametrize("url", ["/tasks?limit=1", "/trash?limit=1", "/users/me/tasks?limit=1"])
def test_a_cursor_is_good_for_its_owner_only(as_alice, as_bob, hers, his, url):
    following = f"{url}&cursor={cursor_of(as_alice, url)}"

    assert_error(as_bob("get", following), 400, "INVALID_CURSOR")
    assert len(as_alice("get", following).json()["results"]) == 1


@pytest.mark.parametrize(("url", "other"), CURSORS)
def test_a_cursor_is_good_for_its_list_only(as_alice, as_bob, hers, his, url, other):
    cursor = cursor_of(as_alice, url)

    assert_error(as_alice("get", f"{other}&cursor={cursor}"), 400, "INVALID_CURSOR")
    assert_error(as_bob("get", f"{other}&cursor={cursor}"), 400, "INVALID_CURSOR")


@pytest.mark.parametrize("path", ["/tasks", "/trash", "/users/me/tasks"])
@pytest.mark.parametrize("changes", [0, 1, 2])
def test_the_etag_of_a_list_is_its_owners_alone(as_alice, as_bob, changes, path):
    for caller in [as_alice, as_bob] * changes:
        create_task(caller)
    hers, his = as_alice("get", path)["ETag"], as_bob("get", path)["ETag"]

    assert hers != his
    assert as_alice("get", path, **{"If-None-Match": hers}).status_code == 304
    assert as_bob("get", path, **{"If-None-Match": hers}).status_code == 200


@pytest.mark.parametrize("limit", [1, 500])
def test_the_feed_tells_nothing_of_a_stranger(as_alice, as_bob, hers, his, limit):
    for caller, owned in [(as_alice, hers), (as_bob, his)]:
        changes, answer = [], {"since": 0, "has_more": True}
        while answer["has_more"]:
            answer = caller("get", f"/sync?since={answer['since']}&limit={limit}").json()
            changes += answer["changes"]

        purged = {"id": owned["purged"]["id"], "version": 9, "purged": True}
        assert changes == [owned["live"], owned["done"], owned["trashed"], purged]


def test_the_feed_counts_no_change_of_a_stranger(as_alice, as_bob, hers, his):
    create_task(as_alice)

    assert as_alice("get", "/sync?since=10").json() == {"changes": [], "since": 10, "has_more": False}
    assert as_bob("get", "/sync?since=9").json() == {"changes": [], "since": 9, "has_more": False}
    assert_error(as_bob("get", "/sync?since=10"), 410, "RESYNC_REQUIRED")


def test_the_statistics_count_no_task_of_a_stranger(as_alice, as_bob, hers, his):
    create_task(as_alice)

    assert as_alice("get", "/tasks/stats").json() == {"open": 2, "completed": 1, "overdue": 1, "trashed": 1}
    assert as_bob("get", "/tasks/stats").json() == {"open": 1, "completed": 1, "overdue": 1, "trashed": 1}


def test_emptying_the_trash_leaves_a_strangers(as_alice, as_bob, alice, hers, his):
    before = list(alice.tasks.order_by("pk").values())

    assert as_bob("delete", "/trash").json() == {"purged": 1}
    assert list(alice.tasks.order_by("pk").values()) == before
    assert as_alice("delete", "/trash").json() == {"purged": 1}


def test_an_export_holds_no_task_of_a_stranger(as_alice, as_bob, hers, his):
    for caller, owned in [(as_alice, hers), (as_bob, his)]:
        exported = json.loads(b"".join(caller("get", "/me/export").streaming_content))

        assert exported["tasks"] == [owned["live"], owned["done"], owned["trashed"]]


@pytest.mark.parametrize("whose", ["hers", "his"])
@each(ROUTES)
def test_under_a_strangers_id_there_is_nothing(as_bob, alice, hers, his, route, whose):
    task = task_for(route, {"hers": hers, "his": his}[whose])
    before = stored()

    foreign = send(as_bob, route, task, f"/users/{alice.pk}")

    assert_error(send(Caller(), route, task, f"/users/{alice.pk}"), 401, "NOT_AUTHENTICATED")
    assert_error(foreign, 404, "NOT_FOUND")
    assert told(foreign) == told(send(as_bob, route, task, f"/users/{NEVER}"))
    assert stored() == before


def undone(caller, route, task, prefix=""):
    """The answer to a request that is rolled back, so that the next finds all as it was."""
    with transaction.atomic():
        response = send(caller, route, task, prefix)
        content = b"".join(response)
        transaction.set_rollback(True)
    assert response.status_code in (200, 201)
    return response, content


@each(ROUTES)
def test_under_ones_own_id_all_is_as_without_it(as_alice, alice, hers, his, route, monkeypatch):
    now, answers = timezone.now(), []
    monkeypatch.setattr(timezone, "now", lambda: now)
    for prefix in ("", "/users/me", f"/users/{alice.pk}", f"/users/{str(alice.pk).upper()}"):
        response, content = undone(as_alice, route, task_for(route, hers), prefix)
        # A task that is made anew has another id.
        answers.append((response.status_code, response.get("ETag"), re.sub(rb'"id":"[^"]+"', b"", content)))

    assert answers[1:] == [answers[0]] * 3


def recorded(statements, owner):
    """Notes each statement about tasks, without quotes and with its values; OWNER is the owner's id.

    Not Django's CaptureQueriesContext, which knows no values where the server puts them in.
    """

    def note(execute, sql, params, many, context):
        text = (sql % tuple(params) if params else sql).replace('"', "")
        if "tasks_" in text:
            statements.append(re.sub(f"{owner.pk}|{owner.pk.hex}", "OWNER", text))
        return execute(sql, params, many, context)

    return connection.execute_wrapper(note)


def places(sql):
    """Where it reads or writes tasks, such as UPDATE tasks_task."""
    return re.findall(r"\b(?:DELETE FROM|FROM|JOIN|UPDATE|INTO) tasks_\w+", sql)


def is_bound(sql):
    """Whether it reads and changes rows of the owner only, at every place, and inserts rows of the owner."""
    match places(sql):
        case ["JOIN tasks_clock"]:  # It comes with the user, by whose id it is found.
            joined = "JOIN tasks_clock ON (accounts_user.id = tasks_clock.owner_id)"
            return joined in sql and "AND accounts_user.id = OWNER" in sql
        case [place] if place.startswith("INTO"):
            return "owner_id" in sql and "OWNER" in sql
        case several:
            limited = [place for place in several if not place.startswith("INTO")]
            return sql.count("owner_id = OWNER") == len(limited) > 0


def test_every_statement_names_the_owner(as_bob, bob, hers, his):
    statements: list[str] = []
    for route in [*ROUTES, ("GET", "/me/export", None)]:
        with recorded(statements, bob):
            undone(as_bob, route, task_for(route, his))

    assert [sql for sql in statements if not is_bound(sql)] == []
    assert Counter(places(sql)[0] for sql in statements) == {
        "JOIN tasks_clock": 17,
        "INTO tasks_clock": 10,
        "UPDATE tasks_clock": 1,
        "FROM tasks_clock": 1,
        "FROM tasks_task": 13,
        "INTO tasks_task": 2,
        "UPDATE tasks_task": 5,
        "DELETE FROM tasks_task": 2,
        "INTO tasks_tombstone": 2,
    }
