"""However somebody has signed in, their requests know how far their clock is."""

import json
import time

import jwt
import pytest

from tests.support.caller import Caller
from tests.support.tasks import create_task
from todo_project.config import issuers

SECRET = "a secret that is shared with the outside issuer only"


def with_a_session(as_alice, settings):
    return as_alice


def with_a_personal_token(as_alice, settings):
    scopes = ["tasks:read", "tasks:write"]
    return Caller(as_alice("post", "/me/tokens", {"name": "script", "scopes": scopes}).json()["token"])


def with_an_outside_token(as_alice, settings):
    issuer = {"issuer": "https://id.example.com", "audience": "todo"}
    settings.TRUSTED_ISSUERS = issuers.parse(
        json.dumps([{**issuer, "algorithms": ["HS256"], "secret": SECRET}])
    )
    now = int(time.time())
    claims = {
        "iss": issuer["issuer"],
        "aud": issuer["audience"],
        "sub": "carol",
        "iat": now,
        "exp": now + 600,
    }
    return Caller(jwt.encode(claims, SECRET, algorithm="HS256"))


@pytest.mark.parametrize("signed_in", [with_a_session, with_a_personal_token, with_an_outside_token])
def test_a_list_is_unchanged_until_a_task_changes(as_alice, settings, signed_in):
    caller = signed_in(as_alice, settings)
    empty = caller("get", "/tasks")["ETag"]
    task = create_task(caller)
    full = caller("get", "/tasks")["ETag"]
    feed = caller("get", "/sync?since=1").json()

    assert caller("get", "/tasks", **{"If-None-Match": empty}).json()["results"] == [task]
    assert caller("get", "/tasks", **{"If-None-Match": full}).status_code == 304
    assert feed == {"changes": [], "since": 1, "has_more": False}
