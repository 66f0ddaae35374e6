"""Lists and the feed answer "unchanged" to every kind of bearer token."""

import json

import jwt
import pytest

from tests.support.caller import Caller
from tests.support.issuer import AUDIENCE, SECRET, claims
from tests.support.tasks import create_task
from todo_project.config import issuers


def session(as_alice, settings):
    return as_alice


def personal_token(as_alice, settings):
    scopes = ["tasks:read", "tasks:write"]
    return Caller(as_alice("post", "/me/tokens", {"name": "script", "scopes": scopes}).json()["token"])


def token_of_an_identity_provider(as_alice, settings):
    name = "https://id.example.com"
    issuer = {"issuer": name, "audience": AUDIENCE, "algorithms": ["HS256"], "secret": SECRET}
    settings.TRUSTED_ISSUERS = issuers.parse(json.dumps([issuer]))
    return Caller(jwt.encode(claims(name), SECRET, algorithm="HS256"))


@pytest.mark.parametrize("sign_in", [session, personal_token, token_of_an_identity_provider])
def test_a_list_is_304_and_the_feed_is_empty_until_a_task_changes(as_alice, settings, sign_in):
    caller = sign_in(as_alice, settings)
    before = caller("get", "/tasks")["ETag"]
    task = create_task(caller)
    after = caller("get", "/tasks")["ETag"]

    assert caller("get", "/tasks", **{"If-None-Match": before}).json()["results"] == [task]
    assert caller("get", "/tasks", **{"If-None-Match": after}).status_code == 304
    since = caller("get", "/sync").json()["since"]
    assert caller("get", f"/sync?since={since}").json() == {"changes": [], "since": since, "has_more": False}
