"""Changes of credentials are serial: each checks what it relies on after it has waited for the others."""

from functools import partial

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.utils import timezone

from accounts.models import Identity, PersonalToken, Session, User
from accounts.password_reset import token_generator
from tests.support.admin_client import USERS, staff_client
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, Caller, sign_in
from tests.support.locks import transaction_blocking

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

NEW = "another horse, another battery"


@pytest.fixture
def reset(alice):
    """Resets Alice's password with a token that was sent to her."""
    token = f"{alice.pk.hex}.{token_generator.make_token(alice)}"
    return lambda new=NEW: Caller()(
        "post", "/auth/password/reset/confirm", {"token": token, "new_password": new}
    )


@pytest.fixture
def change_password(as_alice):
    body = {"current_password": PASSWORD, "new_password": NEW}
    return lambda: as_alice("post", "/me/password", body, **{"X-Forwarded-For": "203.0.113.7"})


def create_token(caller, name="script"):
    return caller("post", "/me/tokens", {"name": name, "scopes": ["account"]})


@pytest.mark.parametrize("change", ["change_password", "reset"])
def test_a_sign_in_whose_password_is_changed_while_it_is_hashed_fails(as_alice, change, request, settings):
    settings.TRUSTED_PROXY_COUNT = 1  # So that the change comes from another address.
    change = request.getfixturevalue(change)
    sessions = Session.objects.count()
    with transaction_blocking(sign_in) as responses:
        assert change().status_code == 200

    assert_error(responses[0], 401, "INVALID_CREDENTIALS")
    assert Session.objects.count() == sessions
    assert sign_in(password=NEW).status_code == 200


def test_a_sign_in_whose_account_is_deactivated_while_it_is_hashed_fails(alice):
    with transaction_blocking(sign_in) as responses:
        User.objects.update(is_active=False)

    assert_error(responses[0], 401, "INVALID_CREDENTIALS")
    assert not Session.objects.exists()


def test_the_upgrade_of_a_hash_does_not_restore_the_old_password(reset):
    User.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
    with transaction_blocking(sign_in) as responses:
        User.objects.update(password=make_password(NEW))

    assert_error(responses[0], 401, "INVALID_CREDENTIALS")
    assert sign_in(password=NEW).status_code == 200


def test_two_sign_ins_that_upgrade_the_hash_at_once_succeed(alice, settings):
    settings.TRUSTED_PROXY_COUNT = 1  # The login guard lets attempts from one address wait for each other.
    User.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
    with transaction_blocking(lambda: sign_in(**{"X-Forwarded-For": "203.0.113.7"})) as responses:
        assert sign_in().status_code == 200

    assert responses[0].status_code == 200
    assert User.objects.get().password.startswith("argon2")


def test_a_reset_token_used_twice_at_once_works_once(reset):
    with transaction_blocking(lambda: reset("a third horse and battery")) as responses:
        assert reset().status_code == 200

    assert_error(responses[0], 400, "VALIDATION_ERROR", field="token")
    assert sign_in(password=NEW).status_code == 200


def test_a_password_is_not_changed_with_one_that_a_reset_has_replaced(as_alice, change_password, reset):
    with transaction_blocking(change_password) as responses:
        reset("a third horse and battery")

    assert_error(responses[0], 400, "VALIDATION_ERROR", field="current_password", constraint="wrong")
    assert sign_in(password="a third horse and battery").status_code == 200


def test_staff_do_not_change_their_password_with_one_that_has_been_replaced(superuser):
    user = User.objects.get()
    user.change_password(PASSWORD, at=timezone.now())
    superuser.force_login(user)
    form = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    with transaction_blocking(lambda: superuser.post("/admin/password_change/", form)) as responses:
        User.objects.update(password=make_password("a third horse and battery"))

    assert "old_password" in responses[0].context["form"].errors
    assert sign_in(user.email, "a third horse and battery").status_code == 200


def test_an_account_is_not_deleted_with_a_password_that_a_reset_has_replaced(as_alice, reset):
    with transaction_blocking(lambda: as_alice("delete", "/me", {"password": PASSWORD})) as responses:
        reset()

    assert_error(responses[0], 400, "VALIDATION_ERROR", field="password", constraint="wrong")
    assert User.objects.exists()


def test_a_session_that_a_reset_ends_cannot_create_a_token_meanwhile(as_alice, reset):
    with transaction_blocking(lambda: create_token(as_alice)) as responses:
        reset()

    assert_error(responses[0], 401, "INVALID_TOKEN")
    assert not PersonalToken.objects.exists()


def test_a_token_that_is_revoked_cannot_create_another_one_meanwhile(as_alice):
    made = create_token(as_alice).json()
    script = Caller(made["token"])
    script("get", "/me")  # So that the next request does not record its use, for which it would wait.
    with transaction_blocking(lambda: create_token(script, "child")) as responses:
        as_alice("delete", f"/me/tokens/{made['id']}")

    assert_error(responses[0], 401, "INVALID_TOKEN")
    assert not PersonalToken.objects.exists()


def test_revoking_a_token_waits_for_the_one_that_it_creates_meanwhile(as_alice):
    made = create_token(as_alice).json()
    with transaction_blocking(lambda: as_alice("delete", f"/me/tokens/{made['id']}")) as responses:
        assert create_token(Caller(made["token"]), "child").status_code == 201

    assert responses[0].status_code == 200
    assert not PersonalToken.objects.exists()


def test_an_identity_is_not_linked_by_a_session_that_a_reset_ends(issuer, as_alice, reset):
    body = {"token": issuer.token()}
    with transaction_blocking(lambda: as_alice("post", "/me/identities", body)) as responses:
        reset()

    assert_error(responses[0], 401, "INVALID_TOKEN")
    assert not Identity.objects.exists()


def test_an_identity_that_is_unlinked_meanwhile_creates_no_token_for_a_new_account(issuer):
    caller, other = Caller(issuer.token()), issuer.token(sub="person-2")
    [identity] = caller("get", "/me/identities").json()["results"]
    caller("post", "/me/identities", {"token": other})
    with transaction_blocking(lambda: create_token(caller)) as responses:
        assert Caller(other)("delete", f"/me/identities/{identity['id']}").status_code == 200

    assert_error(responses[0], 401, "INVALID_TOKEN")
    assert (User.objects.count(), PersonalToken.objects.count()) == (1, 0)


def test_the_last_two_identities_cannot_be_unlinked_at_once(issuer):
    caller = Caller(issuer.token())
    caller("get", "/me")
    user = User.objects.get()
    other = Identity.objects.create(user=user, issuer="i", subject="s")
    one = user.identities.exclude(pk=other.pk).get()
    with transaction_blocking(lambda: caller("delete", f"/me/identities/{one.pk}")) as responses:
        assert caller("delete", f"/me/identities/{other.pk}").status_code == 200

    assert_error(responses[0], 409, "CONFLICT")
    assert user.identities.get() == one


def test_erasing_an_account_waits_for_a_sign_in_that_is_not_committed_yet(as_alice, alice):
    with transaction_blocking(lambda: as_alice("delete", "/me", {"password": PASSWORD})) as responses:
        Session.objects.create(user=alice, expires_at=timezone.now())
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    assert responses[0].status_code == 200
    assert (User.objects.count(), Session.objects.count()) == (0, 0)


def test_a_password_that_staff_set_does_not_undo_another_change(alice):
    form = {"usable_password": "true", "password1": NEW, "password2": NEW}
    set_password = partial(staff_client("superuser").post, f"{USERS}{alice.pk}/password/", form)
    with transaction_blocking(set_password) as responses:
        User.objects.filter(pk=alice.pk).update(name="Alice B.", is_active=False)

    assert responses[0].status_code == 302
    alice.refresh_from_db()
    assert (alice.name, alice.is_active) == ("Alice B.", False)
    assert alice.check_password(NEW)
