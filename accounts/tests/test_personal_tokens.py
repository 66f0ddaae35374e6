"""/me/tokens, and requests with a personal access token."""

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from accounts.models import PersonalToken, User
from tests.support.assertions import assert_error
from tests.support.caller import Caller
from tests.support.threads import run_each


def create(caller, **body):
    return caller("post", "/me/tokens", {"name": "script", "scopes": ["account"], **body})


@pytest.fixture
def script(as_alice):
    """A caller with a personal token of Alice."""
    return Caller(create(as_alice).json()["token"])


def test_a_token_is_shown_once_stored_as_a_hash_and_valid_for_90_days_by_default(as_alice, alice):
    response = create(as_alice)

    token = response.json()["token"]
    assert response.status_code == 201
    assert response["Cache-Control"] == "no-store"
    assert token.startswith("pat_")
    [stored] = PersonalToken.objects.values()
    assert token not in str(stored)
    assert timedelta(days=89, hours=23) < stored["expires_at"] - timezone.now() <= timedelta(days=90)
    assert "token" not in as_alice("get", "/me/tokens").json()["results"][0]
    assert Caller(token)("get", "/me").json()["id"] == str(alice.pk)


@pytest.mark.parametrize(
    ("model", "changes"), [(PersonalToken, {"expires_at": timezone.now()}), (User, {"is_active": False})]
)
def test_an_expired_token_or_that_of_a_deactivated_account_is_refused(script, model, changes):
    model.objects.update(**changes)

    assert_error(script("get", "/me"), 401, "INVALID_TOKEN")


def test_a_revoked_token_is_refused_immediately(as_alice, script):
    [token] = as_alice("get", "/me/tokens").json()["results"]
    response = as_alice("delete", f"/me/tokens/{token['id']}")

    assert response.status_code == 200
    assert response.json()["name"] == "script"
    assert_error(script("get", "/me"), 401, "INVALID_TOKEN")


def test_the_last_use_is_recorded_to_the_minute(as_alice, script, django_assert_num_queries):
    # the token with its user; the last use, written once a minute
    with django_assert_num_queries(2):
        script("get", "/me")
    with django_assert_num_queries(1):
        script("get", "/me")

    assert as_alice("get", "/me/tokens").json()["results"][0]["last_used_at"]


def test_repeating_a_creation_creates_no_second_token(as_alice):
    create(as_alice)
    error = assert_error(create(as_alice), 409, "CONFLICT", field="name", constraint="unique")

    assert error["message"].startswith("You already have a token with this name.")
    assert PersonalToken.objects.count() == 1


def test_the_response_with_the_token_is_not_stored_for_a_retry(as_alice):
    body = {"name": "script", "scopes": ["account"]}
    as_alice("post", "/me/tokens", body, **{"Idempotency-Key": "k"})

    assert_error(as_alice("post", "/me/tokens", body, **{"Idempotency-Key": "k"}), 409, "CONFLICT")


@pytest.mark.parametrize(
    ("body", "field", "constraint"),
    [
        ({"name": ""}, "name", "blank"),
        ({"scopes": []}, "scopes", "empty"),
        ({"scopes": ["admin"]}, "scopes.0", "invalid_choice"),
        ({"scopes": "account"}, "scopes", "not_a_list"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at", "range"),
        ({"expires_at": "2999-01-01T00:00:00Z"}, "expires_at", "range"),
        ({"expires_at": "2030-01-01T00:00:00"}, "expires_at", "offset"),
        ({"token": "pat_mine"}, "token", "unknown"),
        ({"user": "x"}, "user", "unknown"),
    ],
)
def test_an_invalid_token_request_is_refused_with_the_field(as_alice, body, field, constraint):
    response = create(as_alice, **body)

    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)
    assert not PersonalToken.objects.exists()


def test_a_token_cannot_create_one_with_more_scopes(script):
    response = create(script, name="more", scopes=["account", "tasks:write"])

    assert assert_error(response, 403, "INSUFFICIENT_SCOPE")["details"] == {"scope": "tasks:write"}


def in_days(days):
    return (timezone.now() + timedelta(days=days)).isoformat()


@pytest.fixture
def short_lived(as_alice):
    """A caller with a personal token that expires in ten days."""
    return Caller(create(as_alice, name="parent", expires_at=in_days(10)).json()["token"])


def test_a_token_cannot_create_one_that_outlives_it(short_lived):
    response = create(short_lived, name="child", expires_at=in_days(11))

    assert_error(response, 400, "VALIDATION_ERROR", field="expires_at", constraint="range")
    assert create(short_lived, name="child", expires_at=in_days(9)).status_code == 201


def test_a_token_created_by_a_token_expires_with_it_by_default(short_lived):
    create(short_lived, name="child")

    parent, child = PersonalToken.objects.order_by("created_at")
    assert child.expires_at == parent.expires_at


def test_revoking_a_token_revokes_all_tokens_created_with_it(as_alice, script):
    other = Caller(create(as_alice, name="other").json()["token"])
    child = Caller(create(script, name="child").json()["token"])
    grandchild = Caller(create(child, name="grandchild").json()["token"])
    [revoked] = [row for row in as_alice("get", "/me/tokens").json()["results"] if row["name"] == "script"]

    assert as_alice("delete", f"/me/tokens/{revoked['id']}").status_code == 200
    for caller in (script, child, grandchild):
        assert_error(caller("get", "/me"), 401, "INVALID_TOKEN")
    assert other("get", "/me").status_code == 200


@pytest.mark.parametrize("days", [1, 366])
def test_a_token_expires_when_its_creator_has_chosen(as_alice, days):
    expires_at = in_days(days)
    token = create(as_alice, expires_at=expires_at).json()

    assert PersonalToken.objects.get().expires_at.isoformat() == expires_at
    PersonalToken.objects.update(expires_at=timezone.now())
    assert_error(Caller(token["token"])("get", "/me"), 401, "INVALID_TOKEN")


def test_an_unknown_token_is_401(anyone):
    assert_error(Caller("pat_" + "x" * 43)("get", "/me"), 401, "INVALID_TOKEN")


def test_a_token_above_the_quota_is_refused(as_alice, as_bob, settings):
    settings.QUOTA_PERSONAL_TOKENS = 2
    one, _ = (create(as_alice, name=name).json() for name in ("one", "two"))
    error = assert_error(create(as_alice, name="three"), 409, "QUOTA_EXCEEDED")

    assert error["details"] == {"quota": "personal_tokens", "limit": 2}
    assert error["message"] == "A user can have at most 2 personal access tokens. Revoke one first."
    assert PersonalToken.objects.count() == 2
    assert create(as_bob, name="three").status_code == 201
    as_alice("delete", f"/me/tokens/{one['id']}")
    assert create(as_alice, name="three").status_code == 201


def test_expired_tokens_make_room_for_new_ones(as_alice, settings):
    settings.QUOTA_PERSONAL_TOKENS = 2
    for name in ("one", "two"):
        create(as_alice, name=name)
    PersonalToken.objects.filter(name="one").update(expires_at=timezone.now())

    assert create(as_alice, name="three").status_code == 201
    assert set(PersonalToken.objects.values_list("name", flat=True)) == {"two", "three"}


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_do_not_exceed_the_quota_of_tokens(as_alice, settings):
    settings.QUOTA_PERSONAL_TOKENS = 3
    responses = run_each(*[partial(create, as_alice, name=str(number)) for number in range(10)])

    assert Counter(response.status_code for response in responses) == {201: 3, 409: 7}
