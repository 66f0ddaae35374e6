"""What Alice owns does not exist for Bob. A route or a filter that is missing from the tables fails here."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from django.db import connection, transaction

from accounts.models import User
from tasks import urls
from tasks.ledger.filters import TrashPageParameters
from tasks.ledger.models import Clock, Tombstone
from tasks.models import Label, Project, Task, TaskLabel
from tasks.views import LabelViewSet, ProjectViewSet, TaskViewSet
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID, Caller, signed_in
from tests.support.routes import methods_of, patterns
from tests.support.tasks import create_task, position, trashed

pytestmark = pytest.mark.django_db

BEER, OAT_MILK = {"title": "beer"}, {"title": "oat milk"}
ATTIC, FIRST = {"name": "Attic"}, {"before": None}
CREATE, UPDATE = {"op": "create", "data": BEER}, {"op": "update", "id": "{id}", "data": OAT_MILK}

# Every route with a body for which its owner succeeds; {id} is a live object, or a trashed task in /trash.
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
    ("POST", "/tasks/{id}/move", FIRST),
    ("POST", "/tasks/{id}/skip", {"due_date": "2999-01-01"}),
    ("GET", "/tasks/{id}/occurrences", None),
    ("GET", "/projects", None),
    ("POST", "/projects", ATTIC),
    ("GET", "/projects/{id}", None),
    ("PUT", "/projects/{id}", ATTIC),
    ("PATCH", "/projects/{id}", ATTIC),
    ("DELETE", "/projects/{id}", None),
    ("POST", "/projects/{id}/archive", None),
    ("POST", "/projects/{id}/unarchive", None),
    ("POST", "/projects/{id}/move", FIRST),
    ("GET", "/labels", None),
    ("POST", "/labels", ATTIC),
    ("GET", "/labels/{id}", None),
    ("PUT", "/labels/{id}", ATTIC),
    ("PATCH", "/labels/{id}", ATTIC),
    ("DELETE", "/labels/{id}", None),
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

# Every bulk operation with an id, and the object.
BULK_OPERATIONS: list[tuple[dict[str, Any], str]] = [
    (UPDATE, "live"),
    ({"op": "complete", "id": "{id}"}, "live"),
    ({"op": "reopen", "id": "{id}"}, "live"),
    ({"op": "move", "id": "{id}", "data": FIRST}, "live"),
    ({"op": "skip", "id": "{id}", "data": {"due_date": "2999-01-01"}}, "repeating"),
    ({"op": "delete", "id": "{id}"}, "live"),
    ({"op": "restore", "id": "{id}"}, "trashed"),
    ({"op": "update", "kind": "project", "id": "{id}", "data": ATTIC}, "project"),
    ({"op": "archive", "kind": "project", "id": "{id}"}, "project"),
    ({"op": "unarchive", "kind": "project", "id": "{id}"}, "project"),
    ({"op": "move", "kind": "project", "id": "{id}", "data": FIRST}, "project"),
    ({"op": "delete", "kind": "project", "id": "{id}"}, "project"),
    ({"op": "update", "kind": "label", "id": "{id}", "data": ATTIC}, "label"),
    ({"op": "delete", "kind": "label", "id": "{id}"}, "label"),
]

# Every filter by an object, and what it is.
FILTERS_BY_ID = [
    ("/tasks?project={other}", "project"),
    ("/tasks?parent={other}", "live"),
    ("/tasks?root={other}", "live"),
    ("/tasks?label={other}", "label"),
    ("/tasks?series={other}", "repeating"),
    ("/projects?parent={other}", "project"),
]

# Every filter and every ordering.
FILTERS = """
q=milk completed=true completed=false priority=2 due=none overdue=true overdue=false
due_before=2002-01-01T00:00:00Z due_after=2000-01-01T00:00:00Z due_from=2000-01-01 due_until=2002-01-01
starts_until=2002-01-01 available=true available=false tz=Asia/Tokyo
created_before=2999-01-01T00:00:00Z created_after=2000-01-01T00:00:00Z updated_after=2000-01-01T00:00:00Z
project={project} project=none parent={live} parent=none root={live} series={repeating}
label={label} label=none archived=true archived=false
ordering=created_at ordering=updated_at ordering=due ordering=priority ordering=title ordering=position
ordering=-created_at ordering=-updated_at ordering=-due ordering=-priority ordering=-title ordering=-position
"""
LISTS = [
    *(f"/tasks?{query}" for query in FILTERS.split()),
    *("/projects?q=garden", "/projects?parent=none", "/projects?parent={project}", "/projects?archived=true"),
    *(f"/projects?ordering={name}" for name in ("created_at", "updated_at", "name", "position")),
    *(f"/projects?ordering=-{name}" for name in ("created_at", "updated_at", "name", "position")),
    *("/projects?created_before=2999-01-01T00:00:00Z", "/projects?created_after=2000-01-01T00:00:00Z"),
    *("/projects?updated_after=2000-01-01T00:00:00Z", "/labels?updated_after=2000-01-01T00:00:00Z"),
    *("/labels?q=errand", "/labels?created_before=2999-01-01T00:00:00Z"),
    *("/labels?created_after=2000-01-01T00:00:00Z",),
    *(f"/labels?ordering={name}" for name in ("created_at", "updated_at", "name", "position")),
    *(f"/labels?ordering=-{name}" for name in ("created_at", "updated_at", "name", "position")),
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
PURGED = {"kind": "task", "version": 16, "purged": True}


def for_each_route(routes):
    return pytest.mark.parametrize("route", routes, ids=[f"{method} {path}" for method, path, _ in routes])


def send(caller, route, task, prefix="", **headers):
    method, path, body = route
    body = json.loads(json.dumps(body).replace("{id}", task["id"]))
    return caller(method, prefix + path.format(id=task["id"]), body, **headers)


def create_objects_in_every_state(caller):
    """Tasks, projects and a label, whose versions are the same for each owner.

    The live task is in the project and has the label; the completed task is its subtask.
    """
    project = caller("post", "/projects", {"name": "Garden"}).json()["id"]
    label = caller("post", "/labels", {"name": "errand"}).json()["id"]
    where = {"project": project, "labels": [label]}
    live = create_task(caller, due_at=LONG_AGO, start_date="2001-01-01", **where)["id"]
    done = create_task(caller, start_date="2999-01-01", parent=live)["id"]
    gone, purged = create_task(caller)["id"], create_task(caller)["id"]
    repeat = {"rule": "FREQ=DAILY", "from": "due"}
    repeating = create_task(caller, due_date="2999-01-01", repeat=repeat)["id"]
    within = {"kind": "project", **caller("post", "/projects", {"name": "Shed", "parent": project}).json()}
    changes = [
        {"op": "update", "kind": "project", "id": project, "data": {"color": "#2e8b57"}},
        {"op": "update", "kind": "label", "id": label, "data": {"color": "#ff8c00"}},
        {"op": "update", "id": live, "data": {"priority": 2}},
        {"op": "complete", "id": done},
        {"op": "delete", "id": gone},
        {"op": "delete", "id": purged},
        {"op": "update", "id": repeating, "data": {"priority": 1}},
    ]
    changed = caller("post", "/bulk", {"operations": changes}).json()["results"]
    assert caller("delete", f"/trash/{purged}").json() == {**PURGED, "id": purged}
    names = ("project", "label", "live", "done", "trashed", "purged", "repeating")
    return {"within": within, **dict(zip(names, changed, strict=True))}


@pytest.fixture(scope="module")
def alice(shared_rows):
    return User.objects.create_user("alice@example.com")


@pytest.fixture(scope="module")
def bob(shared_rows):
    return User.objects.create_user("bob@example.com")


@pytest.fixture(scope="module")
def as_alice(alice):
    return signed_in(alice)


@pytest.fixture(scope="module")
def as_bob(bob):
    return signed_in(bob)


@pytest.fixture(scope="module")
def alices(as_alice):
    return create_objects_in_every_state(as_alice)


@pytest.fixture(scope="module")
def bobs(as_bob):
    return create_objects_in_every_state(as_bob)


def object_for(route, owned):
    names = {"trash": "trashed", "projects": "project", "labels": "label"}
    default = "repeating" if route[1].endswith(("skip", "occurrences")) else "live"
    return owned[names.get(route[1].split("/")[1], default)]


def versions_of(each):
    """create_objects_in_every_state() changes seven objects once, after it has created all eight."""
    return {"current": each["version"], "stale": each["version"] - 8}


def visible_parts(response):
    """The status, headers and content, without the request id, which is different in each response."""
    request_id = response["X-Request-ID"]
    headers = str({name: value for name, value in response.items() if value != request_id})
    return response.status_code, headers, response.content.replace(request_id.encode(), b"")


def all_rows():
    kinds = (Task, Project, Label, TaskLabel, Clock, Tombstone)
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
    [
        ("/tasks", TaskViewSet.parameters_by_action()["list"]()),
        ("/projects", ProjectViewSet.parameters_by_action()["list"]()),
        ("/labels", LabelViewSet.parameters_by_action()["list"]()),
        ("/trash", TrashPageParameters()),
    ],
)
def test_every_filter_and_ordering_is_in_the_table(path, parameters):
    used = [pair for url in LISTS if url.startswith(path) for pair in parse_qsl(urlsplit(url).query)]

    assert {name for name, _ in used} == parameters.fields.keys() - {"limit", "cursor", "ids", "fields"}
    assert {value for name, value in used if name == "ordering"} == {*parameters.fields["ordering"].choices}


@pytest.mark.parametrize(("prefix", "headers", "read", "write"), VARIANTS)
@for_each_route(WITH_ID)
def test_an_object_of_another_user_gets_the_same_response_as_a_missing_one(
    as_alice, as_bob, alice, bob, alices, bobs, route, prefix, headers, read, write
):
    task = object_for(route, alices)
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

    has_etag = not route[1].endswith("occurrences")
    assert allowed.status_code == ((read if has_etag else 200) if route[0] == "GET" else write)


@for_each_route([*WITH_ID, ("HEAD", "/tasks/{id}", None), ("HEAD", "/trash/{id}", None)])
def test_an_object_of_another_user_is_answered_alike_in_every_state(as_alice, as_bob, alices, bobs, route):
    responses = {visible_parts(send(as_bob, route, task)) for task in [*alices.values(), {"id": UNKNOWN_ID}]}

    assert [status for status, _, _ in responses] == [404]
    assert send(as_alice, route, object_for(route, alices)).status_code == 200


@for_each_route([route for route in WITH_ID if route[0] == "POST"])
def test_the_idempotency_key_of_another_user_replays_nothing(as_alice, as_bob, alices, bobs, route):
    task, key = object_for(route, alices), {"Idempotency-Key": "a key"}

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
def test_an_object_of_another_user_in_a_bulk_gets_the_same_response_as_a_missing_one(
    as_alice, as_bob, alices, bobs, operation, which, first, if_match, status
):
    guard = {"if_match": versions_of(alices[which])[if_match]} if if_match else {}
    route = ("POST", "/bulk", {"operations": [*first, {**operation, **guard}]})
    before = all_rows()

    foreign, missing = send(as_bob, route, alices[which]), send(as_bob, route, {"id": UNKNOWN_ID})

    assert_error(send(Caller(), route, alices[which]), 401, "NOT_AUTHENTICATED")
    assert_error(foreign, 404, "NOT_FOUND", field=f"operations.{len(first)}.id", constraint="not_found")
    assert visible_parts(foreign) == visible_parts(missing)
    assert all_rows() == before

    assert send(as_alice, route, alices[which]).status_code == status


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
def test_a_body_with_an_owner_or_an_id_is_refused(as_bob, alice, alices, bobs, method, path, operation, name):
    def request(data):
        body = {"operations": [{**operation, "data": data}]} if operation else data
        return send(as_bob, (method, path, body), bobs["live"])

    foreign = alices["live"]["id"] if name == "id" else str(alice.pk)
    before = all_rows()
    refused = request({**BEER, name: foreign})

    assert_error(refused, 400, "VALIDATION_ERROR", field=f"operations.0.{name}" if operation else name)
    assert all_rows() == before
    assert request(BEER).status_code in (200, 201)


@for_each_route(ROUTES)
def test_a_query_with_an_owner_is_refused(as_bob, alice, alices, bobs, route):
    method, path, body = route
    path += f"?owner={alice.pk}&owner_id={alice.pk}&user_id={alice.pk}"
    before = all_rows()

    error = assert_error(send(as_bob, (method, path, body), object_for(route, bobs)), 400, "VALIDATION_ERROR")

    assert [one["field"] for one in error["details"]["errors"]] == ["owner", "owner_id", "user_id"]
    assert all_rows() == before


@pytest.mark.parametrize("url", LISTS)
def test_a_list_contains_no_object_of_another_user(as_alice, as_bob, alices, bobs, url):
    for caller, owned in [(as_alice, alices), (as_bob, bobs)]:
        names = {name: each["id"] for name, each in owned.items()}
        found = set(ids(caller("get", url.format(**names)).json()["results"]))

        assert found
        assert found <= set(ids(owned.values()))


@pytest.mark.parametrize(("url", "name"), FILTERS_BY_ID)
def test_a_filter_by_an_object_of_another_user_gives_the_same_response_as_a_missing_one(
    as_alice, as_bob, alices, bobs, url, name
):
    foreign, missing = (as_bob("get", url.format(other=other)) for other in (alices[name]["id"], UNKNOWN_ID))

    assert foreign.json()["results"] == []
    assert visible_parts(foreign) == visible_parts(missing)
    assert as_alice("get", url.format(other=alices[name]["id"])).json()["results"]


def test_a_list_of_ids_contains_no_task_of_another_user(as_bob, alices, bobs):
    both = ",".join(ids([*alices.values(), *bobs.values()]))
    found = ids(as_bob("get", f"/tasks?ids={both}").json()["results"])

    assert found
    assert set(found) <= set(ids(bobs.values()))


def cursor_of(caller, url):
    """The cursor of the second page, of a list of tasks or of the trash."""
    trashed(caller)
    [cursor] = parse_qs(urlsplit(caller("get", url).json()["next"]).query)["cursor"]
    return cursor


@pytest.mark.parametrize("url", ["/tasks?limit=1", "/trash?limit=1", "/users/me/tasks?limit=1"])
def test_a_cursor_is_valid_only_for_its_owner(as_alice, as_bob, alices, bobs, url):
    following = f"{url}&cursor={cursor_of(as_alice, url)}"

    assert_error(as_bob("get", following), 400, "INVALID_CURSOR")
    assert len(as_alice("get", following).json()["results"]) == 1


@pytest.mark.parametrize(("url", "other"), CURSORS)
def test_a_cursor_is_valid_only_for_its_list(as_alice, as_bob, alices, bobs, url, other):
    cursor = cursor_of(as_alice, url)

    assert_error(as_alice("get", f"{other}&cursor={cursor}"), 400, "INVALID_CURSOR")
    assert_error(as_bob("get", f"{other}&cursor={cursor}"), 400, "INVALID_CURSOR")


@pytest.mark.parametrize("path", ["/tasks", "/trash", "/users/me/tasks"])
@pytest.mark.parametrize("changes", [0, 1, 2])
def test_lists_of_two_users_have_different_etags(changes, path):
    users = (User.objects.create_user(f"{name}@example.com") for name in ("carol", "dave"))
    as_carol, as_dave = map(signed_in, users)
    for caller in [as_carol, as_dave] * changes:
        create_task(caller)
    carols_etag, daves_etag = as_carol("get", path)["ETag"], as_dave("get", path)["ETag"]

    assert carols_etag != daves_etag
    assert as_carol("get", path, **{"If-None-Match": carols_etag}).status_code == 304
    assert as_dave("get", path, **{"If-None-Match": carols_etag}).status_code == 200


@pytest.mark.parametrize("limit", [1, 500])
def test_the_feed_contains_no_change_of_another_user(as_alice, as_bob, alices, bobs, limit):
    for caller, owned in [(as_alice, alices), (as_bob, bobs)]:
        changes, answer = [], {"since": 0, "has_more": True}
        while answer["has_more"]:
            answer = caller("get", f"/sync?since={answer['since']}&limit={limit}").json()
            changes += answer["changes"]

        names = ("within", "project", "label", "live", "done", "trashed", "repeating")
        purged = {**PURGED, "id": owned["purged"]["id"]}
        assert changes == [*(owned[name] for name in names), purged]


def test_changes_of_another_user_do_not_advance_the_feed(as_alice, as_bob, alices, bobs):
    create_task(as_alice)

    for caller, version in ((as_alice, 17), (as_bob, 16)):
        since = position(caller, version)
        assert caller("get", f"/sync?since={since}").json() == {
            "changes": [],
            "since": since,
            "has_more": False,
        }
    for since in (position(as_bob, 17), position(as_alice, 16)):
        assert_error(as_bob("get", f"/sync?since={since}"), 410, "RESYNC_REQUIRED")


def test_the_statistics_count_no_task_of_another_user(as_alice, as_bob, alices, bobs):
    create_task(as_alice)

    assert as_alice("get", "/tasks/stats").json() == {"open": 3, "completed": 1, "overdue": 1, "trashed": 1}
    assert as_bob("get", "/tasks/stats").json() == {"open": 2, "completed": 1, "overdue": 1, "trashed": 1}


def test_emptying_the_trash_keeps_the_trash_of_another_user(as_alice, as_bob, alice, alices, bobs):
    before = list(alice.tasks.order_by("pk").values())

    assert as_bob("delete", "/trash").json() == {"purged": 1}
    assert list(alice.tasks.order_by("pk").values()) == before
    assert as_alice("delete", "/trash").json() == {"purged": 1}


EXPORTED = {
    "task": ["live", "done", "trashed", "repeating"],
    "project": ["within", "project"],
    "label": ["label"],
}


def test_an_export_contains_no_object_of_another_user(as_alice, as_bob, alices, bobs):
    for caller, owned in [(as_alice, alices), (as_bob, bobs)]:
        exported = json.loads(b"".join(caller("get", "/me/export").streaming_content))

        for kind, names in EXPORTED.items():
            objects = [{"kind": kind, **each} for each in exported[f"{kind}s"]]
            assert objects == [owned[name] for name in names]


@pytest.mark.parametrize("tasks", ["alices", "bobs"])
@for_each_route(ROUTES)
@pytest.mark.usefixtures("alices", "bobs")
def test_routes_under_the_id_of_another_user_are_404(request, as_bob, alice, route, tasks):
    task = object_for(route, request.getfixturevalue(tasks))
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
def test_routes_under_the_own_id_answer_like_those_without_it(as_alice, alice, alices, bobs, route):
    # Each new task has another id, and each write another time.
    differ, responses = rb'"(id|(created|updated|completed|archived|deleted)_at)":"[^"]+"', []
    for prefix in ("", "/users/me", f"/users/{alice.pk}", f"/users/{str(alice.pk).upper()}"):
        response, content = send_and_roll_back(as_alice, route, object_for(route, alices), prefix)
        responses.append((response.status_code, response.get("ETag"), re.sub(differ, rb"\1", content)))

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


def test_every_statement_is_limited_to_the_owner(as_bob, bob, alices, bobs):
    statements: list[str] = []
    beside = {"project": None, "after": bobs["repeating"]["id"]}
    more = [
        ("GET", "/me/export", None),
        ("PATCH", "/tasks/{id}", {"add_labels": [{"name": "shop"}]}),
        ("PATCH", "/tasks/{id}", {"labels": [], "parent": bobs["repeating"]["id"]}),
        ("POST", "/tasks/{id}/move", beside),
        ("POST", "/bulk", {"operations": [{"op": "move", "id": "{id}", "data": beside}, CREATE]}),
        ("POST", "/projects/{id}/move", {"parent": None, "after": None}),
    ]
    for route in [*ROUTES, *more]:
        with record_statements(statements, bob):
            send_and_roll_back(as_bob, route, object_for(route, bobs))

    assert [sql for sql in statements if not is_limited_to_the_owner(sql)] == []
    assert {place for sql in statements for place in table_references(sql)} == {
        "JOIN ledger_clock",
        "FROM ledger_clock",
        "UPDATE ledger_clock",
        "FROM tasks_project",
        "INTO tasks_project",
        "UPDATE tasks_project",
        "FROM tasks_label",
        "INTO tasks_label",
        "UPDATE tasks_label",
        "DELETE FROM tasks_label",
        "FROM tasks_tasklabel",
        "INTO tasks_tasklabel",
        "DELETE FROM tasks_tasklabel",
        "FROM tasks_task",
        "INTO tasks_task",
        "UPDATE tasks_task",
        "DELETE FROM tasks_task",
        "FROM ledger_tombstone",
        "INTO ledger_tombstone",
    }
