"""/me/identities: linking and unlinking identities."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Identity, Session, User
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, Caller


def me(token):
    return Caller(token)("get", "/me")


def link(caller, token, **fields):
    return caller("post", "/me/identities", {"token": token, **fields})


def test_a_linked_identity_authenticates_the_account(issuer, as_alice, alice):
    assert [link(as_alice, issuer.token()).status_code for _ in range(2)] == [201, 200]

    assert me(issuer.token()).json()["id"] == str(alice.pk)
    assert User.objects.count() == 1


@pytest.fixture
def signed_in_earlier(as_alice):
    """Alice, who signed in ten minutes ago."""
    Session.objects.update(created_at=timezone.now() - timedelta(minutes=10, seconds=1))
    return as_alice


def test_linking_requires_a_sign_in_of_the_last_ten_minutes(issuer, as_alice):
    Session.objects.update(created_at=timezone.now() - timedelta(minutes=9, seconds=50))
    assert link(as_alice, issuer.token()).status_code == 201

    Session.objects.update(created_at=timezone.now() - timedelta(minutes=10, seconds=1))
    assert_error(link(as_alice, issuer.token(sub="person-2")), 403, "PERMISSION_DENIED")


def test_a_refresh_is_no_sign_in(issuer, pair):
    Session.objects.update(created_at=timezone.now() - timedelta(minutes=10, seconds=1))
    fresh = Caller()("post", "/auth/token/refresh", {"refresh": pair["refresh"]}).json()

    assert_error(link(Caller(fresh["access"]), issuer.token()), 403, "PERMISSION_DENIED")


def test_an_earlier_sign_in_links_with_the_password(issuer, signed_in_earlier):
    wrong = link(signed_in_earlier, issuer.token(), password="wrong")
    assert_error(wrong, 400, "VALIDATION_ERROR", field="password", constraint="wrong")
    assert not Identity.objects.exists()

    assert link(signed_in_earlier, issuer.token(), password=PASSWORD).status_code == 201


@pytest.mark.parametrize("password", [{}, {"password": PASSWORD}])
def test_a_personal_token_links_nothing(issuer, as_alice, password):
    token = as_alice("post", "/me/tokens", {"name": "script", "scopes": ["account"]}).json()["token"]

    assert_error(link(Caller(token), issuer.token(), **password), 403, "PERMISSION_DENIED")
    assert not Identity.objects.exists()


@pytest.mark.parametrize(("age", "status"), [(590, 201), (610, 403)])
def test_a_recent_token_of_an_identity_provider_links_another_identity(issuer, age, status):
    token = issuer.token(iat=int(time.time()) - age)

    assert link(Caller(token), issuer.token(sub="person-2")).status_code == status


@pytest.mark.parametrize("token", ["x", "a.b.c", "pat_x", "", "{access}"])
def test_linking_refuses_anything_but_a_token_of_an_issuer(issuer, as_alice, pair, token):
    response = link(as_alice, token.format(**pair))

    assert_error(response, 400, "VALIDATION_ERROR", field="token")


def test_an_identity_can_be_listed_and_unlinked(issuer, as_alice):
    made = link(as_alice, issuer.token(email="ann@example.com")).json()

    assert as_alice("get", "/me/identities").json()["results"] == [made]
    assert as_alice("delete", f"/me/identities/{made['id']}").json() == made
    assert as_alice("get", "/me/identities").json()["results"] == []


def test_the_only_way_to_sign_in_cannot_be_unlinked(issuer):
    caller = Caller(issuer.token())
    [identity] = caller("get", "/me/identities").json()["results"]

    assert_error(caller("delete", f"/me/identities/{identity['id']}"), 409, "CONFLICT")
