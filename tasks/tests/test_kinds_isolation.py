"""What Alice owns does not exist for Bob, whatever its kind."""

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.ledger.models import Clock, Tombstone
from tests.support import library
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID, Caller
from tests.support.library import Book, Shelf
from tests.support.routes import methods_of, patterns

pytestmark = pytest.mark.usefixtures("library")

# Every route of the two kinds with an id, with a body for which the owner succeeds.
WITH_ID: list[tuple[str, str, Any]] = [
    ("GET", "/books/{book}", None),
    ("PUT", "/books/{book}", {"title": "Persuasion"}),
    ("PATCH", "/books/{book}", {"title": "Persuasion"}),
    ("DELETE", "/books/{book}", None),
    ("POST", "/books/{book}/finish", None),
    ("GET", "/shelves/{shelf}", None),
    ("PUT", "/shelves/{shelf}", {"name": "right"}),
    ("PATCH", "/shelves/{shelf}", {"name": "right"}),
    ("DELETE", "/shelves/{shelf}", None),
]
IN_TRASH: list[tuple[str, str, Any]] = [
    ("GET", "/trash/{trashed}?kind=book", None),
    ("POST", "/trash/{trashed}/restore?kind=book", None),
    ("DELETE", "/trash/{trashed}?kind=book", None),
]
BULK: list[tuple[str, str, Any]] = [
    ("POST", "/bulk", {"operations": [{"op": op, "kind": kind, "id": f"{{{each}}}", **data}]})
    for op, kind, each, data in [
        ("update", "book", "book", {"data": {"title": "Persuasion"}}),
        ("finish", "book", "book", {}),
        ("delete", "book", "book", {}),
        ("restore", "book", "trashed", {}),
        ("update", "shelf", "shelf", {"data": {"name": "right"}}),
        ("delete", "shelf", "shelf", {}),
    ]
]
ROUTES = [*WITH_ID, *IN_TRASH, *BULK]
ids = ["-".join(re.findall(r"\w+", f"{method} {path} {body}")) for method, path, body in ROUTES]


def create(caller):
    book, trashed = (caller("post", "/books", {"title": title}).json()["id"] for title in ("Emma", "Lady"))
    shelf = caller("post", "/shelves", {"name": "left"}).json()["id"]
    caller("delete", f"/books/{trashed}")
    return {"book": book, "trashed": trashed, "shelf": shelf}


@pytest.fixture
def alices(as_alice):
    return create(as_alice)


@pytest.fixture
def bobs(as_bob):
    return create(as_bob)


def send(caller, route, objects, prefix=""):
    text = json.dumps(route)
    for name, key in objects.items():
        text = text.replace(f"{{{name}}}", key)
    method, path, body = json.loads(text)
    return caller(method, prefix + path, body, **{"X-Request-ID": "same"})


def all_rows():
    return [row for model in (Book, Shelf, Clock, Tombstone) for row in model.objects.order_by("pk").values()]


def test_every_route_with_an_id_is_in_the_table():
    walked = {
        (method, "/" + route.replace("<id:id>", f"{{{view.cls.kind.name}}}"))
        for route, view in patterns(library.routes)
        for method in methods_of(view)
        if "<id:id>" in route
    }

    assert walked == {(method, path) for method, path, _ in WITH_ID}


@pytest.mark.parametrize("route", ROUTES, ids=ids)
def test_an_object_of_another_user_gets_the_same_response_as_a_missing_one(
    as_alice, as_bob, alice, bob, alices, bobs, route
):
    before = all_rows()
    for prefix in ("", "/users/me", f"/users/{bob.pk}"):
        foreign = send(as_bob, route, alices, prefix)
        missing = send(as_bob, route, dict.fromkeys(alices, UNKNOWN_ID), prefix)
        assert_error(foreign, 404, "NOT_FOUND")
        assert (foreign.content, dict(foreign.items())) == (missing.content, dict(missing.items()))
    assert_error(send(as_bob, route, bobs, f"/users/{alice.pk}"), 404, "NOT_FOUND")
    assert_error(send(Caller(), route, alices), 401, "NOT_AUTHENTICATED")
    assert all_rows() == before
    assert send(as_alice, route, alices, f"/users/{alice.pk}").status_code == 200


@pytest.mark.parametrize("path", ["/books", "/shelves", "/trash?kind=book", "/sync"])
def test_a_list_contains_no_object_of_another_user(as_bob, alices, bobs, path):
    answer = as_bob("get", path).json()
    listed = {each["id"] for each in answer.get("results", answer.get("changes"))}

    assert listed
    assert listed <= {*bobs.values()}


def test_a_key_names_an_object_of_its_owner(as_alice, as_bob):
    alices, bobs = (
        caller("post", "/shelves", {"name": "left", "key": "left"}) for caller in (as_alice, as_bob)
    )

    assert (alices.status_code, bobs.status_code) == (201, 201)
    assert alices.json()["id"] != bobs.json()["id"]


def test_every_statement_is_limited_to_the_owner(as_bob, alices, bobs):
    for route in ROUTES:
        with CaptureQueriesContext(connection) as queries:
            send(as_bob, route, bobs)
        statements = [query["sql"] for query in queries if re.search("_(book|shelf)", query["sql"])]

        assert statements
        assert [sql for sql in statements if "owner_id" not in sql] == []
