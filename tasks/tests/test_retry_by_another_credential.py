"""An Idempotency-Key belongs to the user: another credential gets the stored response, cut to its scopes."""

from itertools import product

import pytest
from django.urls import reverse

from accounts.models import PersonalToken
from tasks.models import Task
from tests.support.assertions import assert_error
from tests.support.caller import API, Caller, signed_in

BULK = reverse("bulk").removeprefix(API)

# The scopes of a personal token, or None for a session; and what its retry shows.
ALL, IDS, REFUSED = "all", "ids and versions", "403"
CREDENTIALS = {
    "a session": (None, ALL),
    "tasks:write": (["tasks:write"], IDS),
    "tasks:read and tasks:write": (["tasks:read", "tasks:write"], ALL),
    "tasks:read": (["tasks:read"], REFUSED),
    "account": (["account"], REFUSED),
}
PAIRS = [
    pytest.param(CREDENTIALS[first], CREDENTIALS[second], id=f"{first}, then {second}")
    for first, second in product(CREDENTIALS, repeat=2)
]

SMALL = {"operations": [{"op": "create", "data": {"title": "milk", "key": "milk"}}]}
LARGE = {
    "operations": [
        {"op": "create", "data": {"title": "milk", "key": f"{number}", "description": "x" * 4900}}
        for number in range(20)
    ]
}
REQUESTS = {
    "a task": ("/tasks", {"title": "milk", "key": "milk"}, 201),
    "a bulk request": (BULK, SMALL, 200),
    "a bulk request whose response is stored without content": (BULK, LARGE, 200),
}


def caller_with(user, scopes):
    if scopes is None:
        return signed_in(user)
    name = str(PersonalToken.objects.count())
    created = signed_in(user)("post", "/me/tokens", {"name": name, "scopes": scopes})
    return Caller(created.json()["token"])


def names(response):
    """The names of the fields that the objects in a response have."""
    body = response.json()
    return set().union(*body.get("results", [body]))


@pytest.mark.parametrize(("path", "body", "status"), REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_retry_shows_what_its_own_credential_may_see(alice, first, second, path, body, status):
    rows = len(body.get("operations", [body]))
    for place, (scopes, shown) in enumerate([first, second]):
        response = caller_with(alice, scopes)("post", path, body, **{"Idempotency-Key": "k"})

        if shown == REFUSED:
            assert_error(response, 403, "INSUFFICIENT_SCOPE")
            continue
        assert response.status_code == status
        assert (names(response) - {"kind"} == {"id", "version"}) == (shown == IDS)
        assert ("milk" in response.content.decode()) == (shown == ALL)
        assert response.headers.get("Idempotent-Replayed") == (
            "true" if place == 1 and first[1] != REFUSED else None
        )
        assert Task.objects.count() == rows
