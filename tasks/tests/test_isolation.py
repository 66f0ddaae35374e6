"""What Alice owns does not exist for Bob. A route that is missing from the table fails here."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tasks import urls
from tasks.ledger.filters import TrashPageParameters
from tasks.ledger.models import Clock, Tombstone
from tasks.models import Task
from tasks.views import TaskViewSet
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID, Caller
from tests.support.routes import methods_of, patterns
from tests.support.tasks import create_task, position, trashed

BEER, OAT_MILK = {"title": "beer"}, {"title": "oat milk"}
CREATE, UPDATE = {"op": "create", "data": BEER}, {"op": "update", "id": "{id}", "data": OAT_MILK}

# Every route with a body for which its owner succeeds; {id} is a live task or, under /trash, a trashed one.
ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/tasks", None),
    ("POST", "/tasks", BEER),
    ("POST", "/bulk", {"operations": [CREATE, UPDATE]}),
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

# Prefixes, headers, and the statuses of a read and of a write by the owner.
VARIANTS: list[tuple[str, dict[str, str], int, int]] = [
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

# Every bulk operation with an id, and the state of its task.
BULK_OPERATIONS: list[tuple[dict[str, Any], str]] = [
    (UPDATE, "live"),
    ({"op": "complete", "id": "{id}"}, "live"),
    ({"op": "reopen", "id": "{id}"}, "live"),
    ({"op": "delete", "id": "{id}"}, "live"),
    ({"op": "restore", "id": "{id}"}, "trashed"),
]

# Every filter and every ordering.
FILTERS = """
q=milk completed=true completed=false priority=2 due=none overdue=true overdue=false
due_before=2002-01-01T00:00:00Z due_after=2000-01-01T00:00:00Z due_from=2000-01-01 due_until=2002-01-01
starts_until=2002-01-01 available=true available=false tz=Asia/Tokyo
created_before=2999-01-01T00:00:00Z created_after=2000-01-01T00:00:00Z updated_after=2000-01-01T00:00:00Z
ordering=created_at ordering=updated_at ordering=due ordering=priority ordering=title
ordering=-created_at ordering=-updated_at ordering=-due ordering=-priority ordering=-title
"""
LISTS = [
    *(f"/tasks?{query}" for query in FILTERS.split()),
    *("/trash?q=milk", "/trash?kind=task", "/trash?ordering=deleted_at", "/trash?ordering=-deleted_at"),
]

# A cursor of the first list is not valid for the second.
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


def for_each_route(routes):
    return pytest.mark.parametrize("route", routes, ids=[f"{method} {path}" for method, path, _ in routes])


def send(caller, route, task, prefix="", **headers):
    method, path, body = route
    body = json.loads(json.dumps(body).replace("{id}", task["id"]))
    return caller(method, prefix + path.format(id=task["id"]), body, **headers)


def create_tasks_in_every_state(caller):
    """A live, a completed, a trashed and a purged task, whose versions are the same for each owner."""
    new = [
        {"op": "create", "data": {"title": "milk", "due_at": due_at, "start_date": start_date}}
        for due_at, start_date in ((LONG_AGO, "2001-01-01"), (None, "2999-01-01"), (None, None), (None, None))
    ]
    live, done, gone, purged = ids(caller("post", "/bulk", {"operations": new}).json()["results"])
    changes = [
        {"op": "update", "id": live, "data": {"priority": 2}},
        {"op": "complete", "id": done},
        {"op": "delete", "id": gone},
        {"op": "delete", "id": purged},
    ]
    tasks = caller("post", "/bulk", {"operations": changes}).json()["results"]
    assert caller("delete", f"/trash/{purged}").json() == {
        "kind": "task",
        "id": purged,
        "version": 9,
        "purged": True,
    }
    return dict(zip(("live", "done", "trashed", "purged"), tasks, strict=True))


@pytest.fixture
def alices_tasks(as_alice):
    return create_tasks_in_every_state(as_alice)


@pytest.fixture
def bobs_tasks(as_bob):
    return create_tasks_in_every_state(as_bob)


def task_for(route, owned):
    return owned["trashed" if route[1].startswith("/trash") else "live"]


def versions_of(task):
    """create_tasks_in_every_state() changes each task once, after it has created all four."""
    return {"current": task["version"], "stale": task["version"] - 4}


def visible_parts(response):
    """The status, headers and content, without the request id, which is different in each response."""
    request_id = response["X-Request-ID"]
    headers = str({name: value for name, value in response.items() if value != request_id})
    return response.status_code, headers, response.content.replace(request_id.encode(), b"")


def all_rows():
    kinds = (Task, Clock, Tombstone)
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
    ("path", "parameters"),
    [("/tasks", TaskViewSet.parameters_by_action()["list"]()), ("/trash", TrashPageParameters())],
)
def test_every_filter_and_ordering_is_in_the_table(path, parameters):
    used = [pair for url in LISTS if url.startswith(path) for pair in parse_qsl(urlsplit(url).query)]

    assert {name for name, _ in used} == parameters.fields.keys() - {"limit", "cursor", "ids", "fields"}
    assert {value for name, value in used if name == "ordering"} == {*parameters.fields["ordering"].choices}


@pytest.mark.parametrize(("prefix", "headers", "read", "write"), VARIANTS)
@for_each_route(WITH_ID)
def test_a_task_of_another_user_gets_the_same_response_as_a_missing_one(
    as_alice, as_bob, alice, bob, alices_tasks, bobs_tasks, route, prefix, headers, read, write
):
    task = task_for(route, alices_tasks)
    headers = {name: value.format(**versions_of(task)) for name, value in headers.items()}
    before = all_rows()

    anonymous = send(Caller(), route, task, prefix.format(user=alice.pk), **headers)
    foreign = send(as_bob, route, task, prefix.format(user=bob.pk), **headers)
    missing = send(as_bob, route, {"id": UNKNOWN_ID}, prefix.format(user=bob.pk), **headers)

    assert_error(anonymous, 401, "NOT_AUTHENTICATED")
    assert_error(foreign, 404, "NOT_FOUND")
    assert visible_parts(foreign) == visible_parts(missing)
    assert all_rows() == before

    allowed = send(as_alice, route, task, prefix.format(user=alice.pk), **headers)

    assert allowed.status_code == (read if route[0] == "GET" else write)


@for_each_route([*WITH_ID, ("HEAD", "/tasks/{id}", None), ("HEAD", "/trash/{id}", None)])
def test_a_task_of_another_user_is_answered_alike_in_every_state(
    as_alice, as_bob, alices_tasks, bobs_tasks, route
):
    responses = {
        visible_parts(send(as_bob, route, task)) for task in [*alices_tasks.values(), {"id": UNKNOWN_ID}]
    }

    assert [status for status, _, _ in responses] == [404]
    assert send(as_alice, route, task_for(route, alices_tasks)).status_code == 200


@for_each_route([route for route in WITH_ID if route[0] == "POST"])
def test_the_idempotency_key_of_another_user_replays_nothing(
    as_alice, as_bob, alices_tasks, bobs_tasks, route
):
    task, key = task_for(route, alices_tasks), {"Idempotency-Key": "a key"}

    assert "Idempotent-Replayed" not in send(as_alice, route, task, **key)
    assert send(as_alice, route, task, **key)["Idempotent-Replayed"] == "true"
    assert visible_parts(send(as_bob, route, task, **key)) == visible_parts(
        send(as_bob, route, {"id": UNKNOWN_ID})
    )


@pytest.mark.parametrize(("if_match", "status"), [(None, 200), ("current", 200), ("stale", 412)])
@pytest.mark.parametrize("first", [[], [CREATE]], ids=["alone", "second"])
@pytest.mark.parametrize(
    ("operation", "which"), BULK_OPERATIONS, ids=[operation["op"] for operation, _ in BULK_OPERATIONS]
)
def test_a_task_of_another_user_in_a_bulk_gets_the_same_response_as_a_missing_one(
    as_alice, as_bob, alices_tasks, bobs_tasks, operation, which, first, if_match, status
):
    guard = {"if_match": versions_of(alices_tasks[which])[if_match]} if if_match else {}
    route = ("POST", "/bulk", {"operations": [*first, {**operation, **guard}]})
    before = all_rows()

    foreign, missing = send(as_bob, route, alices_tasks[which]), send(as_bob, route, {"id": UNKNOWN_ID})

    assert_error(send(Caller(), route, alices_tasks[which]), 401, "NOT_AUTHENTICATED")
    assert assert_error(foreign, 404, "NOT_FOUND")["details"] == {"field": f"operations.{len(first)}.id"}
    assert visible_parts(foreign) == visible_parts(missing)
    assert all_rows() == before

    assert send(as_alice, route, alices_tasks[which]).status_code == status


@pytest.mark.parametrize("name", ["owner", "owner_id", "user", "user_id", "id"])
@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/tasks", None),
        ("PUT", "/tasks/{id}", None),
        ("PATCH", "/tasks/{id}", None),
        ("POST", "/bulk", CREATE),
        ("POST", "/bulk", UPDATE),
    ],
)
def test_a_body_with_an_owner_or_an_id_is_refused(
    as_bob, alice, alices_tasks, bobs_tasks, method, path, operation, name
):
    def request(data):
        body = {"operations": [{**operation, "data": data}]} if operation else data
        return send(as_bob, (method, path, body), bobs_tasks["live"])

    foreign = alices_tasks["live"]["id"] if name == "id" else str(alice.pk)
    before = all_rows()
    refused = request({**BEER, name: foreign})

    assert_error(refused, 400, "VALIDATION_ERROR", field=f"operations.0.{name}" if operation else name)
    assert all_rows() == before
    assert request(BEER).status_code in (200, 201)


@for_each_route(ROUTES)
def test_a_query_with_an_owner_is_refused(as_bob, alice, alices_tasks, bobs_tasks, route):
    method, path, body = route
    path += f"?owner={alice.pk}&owner_id={alice.pk}&user_id={alice.pk}"
    before = all_rows()

    error = assert_error(
        send(as_bob, (method, path, body), task_for(route, bobs_tasks)), 400, "VALIDATION_ERROR"
    )

    assert [one["field"] for one in error["details"]["errors"]] == ["owner", "owner_id", "user_id"]
    assert all_rows() == before


@pytest.mark.parametrize("url", LISTS)
def test_a_list_contains_no_task_of_another_user(as_alice, as_bob, alices_tasks, bobs_tasks, url):
    for caller, owned in [(as_alice, alices_tasks), (as_bob, bobs_tasks)]:
        found = set(ids(caller("get", url).json()["results"]))

        assert found
        assert found <= set(ids(owned.values()))


def test_a_list_of_ids_contains_no_task_of_another_user(as_bob, alices_tasks, bobs_tasks):
    both = ",".join(ids([*alices_tasks.values(), *bobs_tasks.values()]))
    found = ids(as_bob("get", f"/tasks?ids={both}").json()["results"])

    assert found
    assert set(found) <= set(ids(bobs_tasks.values()))


def cursor_of(caller, url):
    """The cursor of the second page, of a list of tasks or of the trash."""
    trashed(caller)
    [cursor] = parse_qs(urlsplit(caller("get", url).json()["next"]).query)["cursor"]
    return cursor


@pytest.mark.parametrize("url", ["/tasks?limit=1", "/trash?limit=1", "/users/me/tasks?limit=1"])
def test_a_cursor_is_valid_only_for_its_owner(as_alice, as_bob, alices_tasks, bobs_tasks, url):
    following = f"{url}&cursor={cursor_of(as_alice, url)}"

    assert_error(as_bob("get", following), 400, "INVALID_CURSOR")
    assert len(as_alice("get", following).json()["results"]) == 1


@pytest.mark.parametrize(("url", "other"), CURSORS)
def test_a_cursor_is_valid_only_for_its_list(as_alice, as_bob, alices_tasks, bobs_tasks, url, other):
    cursor = cursor_of(as_alice, url)

    assert_error(as_alice("get", f"{other}&cursor={cursor}"), 400, "INVALID_CURSOR")
    assert_error(as_bob("get", f"{other}&cursor={cursor}"), 400, "INVALID_CURSOR")


@pytest.mark.parametrize("path", ["/tasks", "/trash", "/users/me/tasks"])
@pytest.mark.parametrize("changes", [0, 1, 2])
def test_lists_of_two_users_have_different_etags(as_alice, as_bob, changes, path):
    for caller in [as_alice, as_bob] * changes:
        create_task(caller)
    alices_etag, bobs_etag = as_alice("get", path)["ETag"], as_bob("get", path)["ETag"]

    assert alices_etag != bobs_etag
    assert as_alice("get", path, **{"If-None-Match": alices_etag}).status_code == 304
    assert as_bob("get", path, **{"If-None-Match": alices_etag}).status_code == 200


@pytest.mark.parametrize("limit", [1, 500])
def test_the_feed_contains_no_change_of_another_user(as_alice, as_bob, alices_tasks, bobs_tasks, limit):
    for caller, owned in [(as_alice, alices_tasks), (as_bob, bobs_tasks)]:
        changes, answer = [], {"since": 0, "has_more": True}
        while answer["has_more"]:
            answer = caller("get", f"/sync?since={answer['since']}&limit={limit}").json()
            changes += answer["changes"]

        purged = {"kind": "task", "id": owned["purged"]["id"], "version": 9, "purged": True}
        assert changes == [owned["live"], owned["done"], owned["trashed"], purged]


def test_changes_of_another_user_do_not_advance_the_feed(as_alice, as_bob, alices_tasks, bobs_tasks):
    create_task(as_alice)

    for caller, version in ((as_alice, 10), (as_bob, 9)):
        since = position(caller, version)
        assert caller("get", f"/sync?since={since}").json() == {
            "changes": [],
            "since": since,
            "has_more": False,
        }
    for since in (position(as_bob, 10), position(as_alice, 9)):
        assert_error(as_bob("get", f"/sync?since={since}"), 410, "RESYNC_REQUIRED")


def test_the_statistics_count_no_task_of_another_user(as_alice, as_bob, alices_tasks, bobs_tasks):
    create_task(as_alice)

    assert as_alice("get", "/tasks/stats").json() == {"open": 2, "completed": 1, "overdue": 1, "trashed": 1}
    assert as_bob("get", "/tasks/stats").json() == {"open": 1, "completed": 1, "overdue": 1, "trashed": 1}


def test_emptying_the_trash_keeps_the_trash_of_another_user(
    as_alice, as_bob, alice, alices_tasks, bobs_tasks
):
    before = list(alice.tasks.order_by("pk").values())

    assert as_bob("delete", "/trash").json() == {"purged": 1}
    assert list(alice.tasks.order_by("pk").values()) == before
    assert as_alice("delete", "/trash").json() == {"purged": 1}


def test_an_export_contains_no_task_of_another_user(as_alice, as_bob, alices_tasks, bobs_tasks):
    for caller, owned in [(as_alice, alices_tasks), (as_bob, bobs_tasks)]:
        exported = json.loads(b"".join(caller("get", "/me/export").streaming_content))

        tasks = [{"kind": "task", **task} for task in exported["tasks"]]
        assert tasks == [owned["live"], owned["done"], owned["trashed"]]


@pytest.mark.parametrize("tasks", ["alices_tasks", "bobs_tasks"])
@for_each_route(ROUTES)
@pytest.mark.usefixtures("alices_tasks", "bobs_tasks")
def test_routes_under_the_id_of_another_user_are_404(request, as_bob, alice, route, tasks):
    task = task_for(route, request.getfixturevalue(tasks))
    before = all_rows()

    foreign = send(as_bob, route, task, f"/users/{alice.pk}")

    assert_error(send(Caller(), route, task, f"/users/{alice.pk}"), 401, "NOT_AUTHENTICATED")
    assert_error(foreign, 404, "NOT_FOUND")
    assert visible_parts(foreign) == visible_parts(send(as_bob, route, task, f"/users/{UNKNOWN_ID}"))
    assert all_rows() == before


def send_and_roll_back(caller, route, task, prefix=""):
    """The response to a request whose changes are rolled back."""
    with transaction.atomic():
        response = send(caller, route, task, prefix)
        content = b"".join(response)
        transaction.set_rollback(True)
    assert response.status_code in (200, 201)
    return response, content


@for_each_route(ROUTES)
def test_routes_under_the_own_id_answer_like_those_without_it(
    as_alice, alice, alices_tasks, bobs_tasks, route, monkeypatch
):
    now, responses = timezone.now(), []
    monkeypatch.setattr(timezone, "now", lambda: now)
    for prefix in ("", "/users/me", f"/users/{alice.pk}", f"/users/{str(alice.pk).upper()}"):
        response, content = send_and_roll_back(as_alice, route, task_for(route, alices_tasks), prefix)
        # Each new task has another id.
        responses.append((response.status_code, response.get("ETag"), re.sub(rb'"id":"[^"]+"', b"", content)))

    assert responses[1:] == [responses[0]] * 3


def record_statements(statements, owner):
    """Record each statement about tasks, without quotes and with its values; OWNER is the id of the owner.

    Not Django's CaptureQueriesContext, which knows no values where the server puts them in.
    """

    def note(execute, sql, params, many, context):
        text = (sql % tuple(params) if params else sql).replace('"', "")
        if re.search("tasks_|ledger_", text):
            statements.append(re.sub(f"{owner.pk}|{owner.pk.hex}", "OWNER", text))
        return execute(sql, params, many, context)

    return connection.execute_wrapper(note)


def table_references(sql):
    """Each reference to a table of tasks, such as UPDATE tasks_task."""
    return re.findall(r"\b(?:DELETE FROM|FROM|JOIN|UPDATE|INTO) (?:tasks|ledger)_\w+", sql)


def is_limited_to_the_owner(sql):
    """Whether each table reference of a statement is limited to rows of the owner."""
    match table_references(sql):
        case ["JOIN ledger_clock"]:  # joined to the user, who is found by id
            joined = "JOIN ledger_clock ON (accounts_user.id = ledger_clock.owner_id)"
            return joined in sql and "AND accounts_user.id = OWNER" in sql
        case [place] if place.startswith("INTO"):
            return "owner_id" in sql and "OWNER" in sql
        case several:
            limited = [place for place in several if not place.startswith("INTO")]
            # Or to the owner of another row of the statement.
            limits = re.findall(r"owner_id (?:= OWNER|IN \(OWNER\)|= \(?\w+\.owner_id\b)", sql)
            return len(limits) >= len(limited) > 0


def test_every_statement_is_limited_to_the_owner(as_bob, bob, alices_tasks, bobs_tasks):
    statements: list[str] = []
    for route in [*ROUTES, ("GET", "/me/export", None)]:
        with record_statements(statements, bob):
            send_and_roll_back(as_bob, route, task_for(route, bobs_tasks))

    assert [sql for sql in statements if not is_limited_to_the_owner(sql)] == []
    assert {place for sql in statements for place in table_references(sql)} == {
        "JOIN ledger_clock",
        "FROM ledger_clock",
        "UPDATE ledger_clock",
        "FROM tasks_task",
        "INTO tasks_task",
        "UPDATE tasks_task",
        "DELETE FROM tasks_task",
        "FROM ledger_tombstone",
        "INTO ledger_tombstone",
    }
