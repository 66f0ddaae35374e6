"""/me/identities: linking and unlinking identities."""

import pytest

from accounts.models import User
from tests.support.assertions import assert_error
from tests.support.caller import Caller


def me(token):
    return Caller(token)("get", "/me")


def link(caller, token):
    return caller("post", "/me/identities", {"token": token})


def test_a_linked_identity_authenticates_the_account(issuer, as_alice, alice):
    assert [link(as_alice, issuer.token()).status_code for _ in range(2)] == [201, 200]

    assert me(issuer.token()).json()["id"] == str(alice.pk)
    assert User.objects.count() == 1


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
