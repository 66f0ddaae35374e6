"""Sessions, personal tokens and identities of one user do not exist for another.

Alice owns nothing but the session she calls with; Bob owns two rows of every kind.
"""

import jwt
import pytest
from django.utils import timezone

from accounts.models import Identity, PersonalToken, Session
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.issuer import SECRET, claims

MODELS = {"sessions": Session, "tokens": PersonalToken, "identities": Identity}
each_resource = pytest.mark.parametrize(("resource", "model"), MODELS.items(), ids=MODELS)


@pytest.fixture(autouse=True)
def bobs_rows(bob, trusted_backend):
    now = timezone.now()
    for number in "12":
        Session.new(bob, at=now, user_agent="", address="")[0].save()
        PersonalToken.issue(bob, at=now, name=f"script {number}", scopes=["account"])
        Identity.objects.create(user=bob, issuer="backend", subject=f"person-{number}")


@each_resource
def test_a_list_contains_no_row_of_another_user(as_alice, bob, resource, model):
    listed = {row["id"] for row in as_alice("get", f"/me/{resource}").json()["results"]}

    assert listed == {str(row.pk) for row in model.objects.exclude(user=bob)}


@each_resource
def test_deleting_another_users_row_answers_as_for_an_unknown_id(as_alice, bob, resource, model):
    before = list(model.objects.order_by("pk").values())
    theirs = model.objects.filter(user=bob).first()

    response = as_alice("delete", f"/me/{resource}/{theirs.pk}", **{"X-Request-ID": "same"})
    unknown = as_alice("delete", f"/me/{resource}/{UNKNOWN_ID}", **{"X-Request-ID": "same"})

    assert_error(response, 404, "NOT_FOUND")
    assert response.content == unknown.content
    assert list(model.objects.order_by("pk").values()) == before


def test_ending_all_sessions_ends_none_of_another_user(as_alice, bob):
    assert as_alice("delete", "/me/sessions").json() == {"ended": 1}

    assert Session.objects.for_user(bob).live(at=timezone.now()).count() == 2


def test_linking_another_users_identity_is_a_conflict(as_alice, bob):
    token = jwt.encode(claims("backend", sub="person-1"), SECRET)

    assert_error(as_alice("post", "/me/identities", {"token": token}), 409, "CONFLICT")
    assert Identity.objects.for_user(bob).count() == 2


def test_the_last_identity_cannot_be_unlinked_even_if_others_have_identities(as_alice, alice):
    alice.set_unusable_password()
    alice.save()
    identity = Identity.objects.create(user=alice, issuer="backend", subject="person-3")

    assert_error(as_alice("delete", f"/me/identities/{identity.pk}"), 409, "CONFLICT")
    assert Identity.objects.for_user(alice).exists()


def test_a_token_may_have_the_name_of_another_users_token(as_alice):
    response = as_alice("post", "/me/tokens", {"name": "script 1", "scopes": ["account"]})

    assert response.status_code == 201
