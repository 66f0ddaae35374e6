"""A token that was issued before its account was erased does not create the account again."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import erasure
from accounts.models import ErasedIdentity, Identity, User
from tests.support.assertions import assert_error
from tests.support.caller import Caller
from tests.support.commands import purge, run
from tests.support.threads import run_each

NOW = timezone.now()


def me(token):
    return Caller(token)("get", "/me")


@pytest.fixture
def erased(issuer):
    """A token whose account was deleted with it."""
    token = issuer.token(iat=int(time.time()) - 60)
    assert Caller(token)("delete", "/me").status_code == 200
    return token


def test_the_token_that_deleted_an_account_does_not_create_it_again(erased):
    assert_error(me(erased), 401, "INVALID_TOKEN")
    assert not User.objects.exists()


def test_an_account_erased_by_an_operator_is_not_created_again(issuer):
    token = issuer.token()
    run("erase_user", me(token).json()["id"], "--yes")

    assert_error(me(token), 401, "INVALID_TOKEN")


@pytest.mark.parametrize(("seconds", "status"), [(-60, 401), (4, 401), (60, 200)])
def test_a_token_must_be_issued_after_the_erasure(issuer, erased, seconds, status):
    """Within five seconds it may be older than it says, because clocks differ."""
    later = issuer.token(iat=int(time.time()))
    ErasedIdentity.objects.update(erased_at=timezone.now() - timedelta(seconds=seconds))

    assert me(later).status_code == status


def test_another_identity_creates_an_account_as_before(issuer, erased):
    assert me(issuer.token(sub="person-2")).status_code == 200


def test_an_erased_identity_cannot_be_linked_by_a_token_issued_before(issuer, erased, as_alice):
    response = as_alice("post", "/me/identities", {"token": erased})

    assert_error(response, 400, "VALIDATION_ERROR", field="token")
    assert not Identity.objects.exists()


def test_an_identity_can_be_erased_again(issuer, erased):
    ErasedIdentity.objects.update(erased_at=NOW - timedelta(days=1))
    again = issuer.token()
    assert Caller(again)("delete", "/me").status_code == 200

    assert_error(me(again), 401, "INVALID_TOKEN")


def test_what_remains_names_nobody(issuer, erased):
    [[value, _]] = ErasedIdentity.objects.values_list()

    assert len(value) == 64
    assert "person-1" not in value


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_requests_during_the_erasure_do_not_create_the_account_again(issuer):
    token = issuer.token()
    me(token)
    run_each(lambda: erasure.erase(User.objects.get()), *[lambda: me(token)] * 7)

    assert_error(me(token), 401, "INVALID_TOKEN")
    assert not User.objects.exists()


@pytest.mark.parametrize(("days", "is_deleted"), [(365, False), (367, True)])
def test_it_is_forgotten_after_a_year(erased, days, is_deleted):
    ErasedIdentity.objects.update(erased_at=NOW - timedelta(days=days))

    assert purge("--only", "erasures")[0] == f"erasures: {int(is_deleted)} deleted"
    assert ErasedIdentity.objects.exists() != is_deleted
