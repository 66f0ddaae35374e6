"""Whatever the path, the query string and the body are, the response is JSON and no error of the server."""

from urllib.parse import quote, quote_from_bytes, urlencode

import pytest
from django.urls import get_resolver
from hypothesis import given
from hypothesis import strategies as st

from tests.support.assertions import assert_error
from tests.support.caller import API, UNKNOWN_ID
from tests.support.generated import one_example
from tests.support.routes import methods_of, patterns
from todo_project.api.schema import document

pytestmark = pytest.mark.django_db

VALUES = [
    *("", "0", "-1", "1", "201", "9" * 30, "1.0", "1e3", "true", "null", "none", "%", "_", "\\", "'", '"'),
    *("id", "-created_at", "task", "create", "tasks:read", "Europe/Berlin", UNKNOWN_ID, UNKNOWN_ID.upper()),
    *(
        "2027-01-31T09:00:00Z",
        "2027-01-31T09:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ),
]
ROUTES = [
    (
        method.lower(),
        path.removeprefix(API[1:]).replace("<id:id>", UNKNOWN_ID).replace("<user:user_id>", "me"),
    )
    for path, view in patterns(get_resolver().url_patterns)
    if path.startswith(API[1:]) and not path.endswith(("/export", "/schema"))
    for method in methods_of(view)
]


def parameters():
    """The names of all query parameters."""
    operations = [each for operations in document()[0]["paths"].values() for each in operations.values()]
    return sorted({each["name"] for operation in operations for each in operation.get("parameters", [])})


def fields():
    """The names of all fields of bodies."""
    schemas = document()[0]["components"]["schemas"].values()
    return sorted({name for schema in schemas for name in schema.get("properties", {})})


characters = st.text(max_size=12)
escaped = st.one_of(
    characters.map(lambda text: quote(text, errors="surrogatepass")),
    st.binary(max_size=12).map(quote_from_bytes),
)
values = st.one_of(st.sampled_from(VALUES), st.text(st.characters(codec="utf-8"), max_size=12))
queries = st.one_of(
    escaped,
    st.lists(st.tuples(st.deferred(lambda: st.sampled_from(parameters())), values), max_size=4).map(
        urlencode
    ),
)
bodies = st.recursive(
    st.one_of(values, st.none(), st.booleans(), st.integers(), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.deferred(lambda: st.sampled_from(fields())), inner, max_size=5),
    ),
    max_leaves=8,
)


def assert_is_json(response):
    assert response.status_code < 500
    assert response.status_code == 304 or response["Content-Type"] == "application/json"
    if response.status_code >= 400:
        assert_error(response, response.status_code, response.json()["error"]["code"])


def test_all_routes_are_found():
    assert len(ROUTES) > 50


@given(escaped, st.sampled_from(ROUTES), st.integers(0, 60))
def test_any_path_gets_json(as_alice, text, route, place):
    method, path = route
    with one_example():
        assert_is_json(as_alice(method, f"/{text}"))
        assert_is_json(as_alice(method, f"{path[:place]}{text}{path[place:]}"))


@given(st.sampled_from(ROUTES), queries)
def test_any_query_string_gets_json(as_alice, route, query):
    method, path = route
    with one_example():
        assert_is_json(as_alice(method, f"{path}?{query}"))


@given(st.sampled_from(ROUTES), bodies)
def test_any_body_gets_json(as_alice, route, body):
    method, path = route
    with one_example():
        assert_is_json(as_alice(method, path, body))


@given(st.sampled_from(ROUTES), st.binary(max_size=40))
def test_any_bytes_get_json(as_alice, route, body):
    method, path = route
    with one_example():
        assert_is_json(as_alice(method, path, body))
