"""SECRET_KEY is rotated as the operations guide describes."""

import pytest

from accounts import password_reset
from tests.support.admin_client import staff_client
from tests.support.assertions import assert_error
from tests.support.caller import Caller, sign_in

OLD = "the old secret key, which is long enough for every check of it"
NEW = "the new secret key, which is long enough for every check of it"


@pytest.fixture
def use_keys(settings):
    def use_keys(key, *fallbacks):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, list(fallbacks)

    return use_keys


def refresh(token):
    return Caller()("post", "/auth/token/refresh", {"refresh": token})


def create_token(caller, name):
    return caller("post", "/me/tokens", {"name": name, "scopes": ["account"]}).json()["token"]


@pytest.fixture
def sign_everything(alice):
    """Sign in everywhere; returns a function for each signature, which uses it."""

    def sign_everything():
        pair, staff = sign_in().json(), staff_client("superuser")
        caller = Caller(pair["access"])
        personal = create_token(caller, "first")
        create_token(caller, "second")
        cursor = caller("get", "/me/tokens?limit=1").json()["next_cursor"]
        reset = f"{alice.pk.hex}.{password_reset.token_generator.make_token(alice)}"
        password = {"token": reset, "new_password": "another horse, another battery"}
        return {
            "access token": lambda: caller("get", "/me"),
            "personal token": lambda: Caller(personal)("get", "/me"),
            "cursor": lambda: Caller(personal)("get", f"/me/tokens?limit=1&cursor={cursor}"),
            "admin session": lambda: staff.get("/admin/"),
            "refresh token": lambda: refresh(pair["refresh"]),
            "reset token": lambda: Caller()("post", "/auth/password/reset/confirm", password),
        }

    return sign_everything


def test_what_the_old_key_signed_stays_valid_while_it_is_a_fallback(use_keys, sign_everything):
    use_keys(OLD)
    uses = sign_everything()
    use_keys(NEW, OLD)

    assert {name: use().status_code for name, use in uses.items()} == dict.fromkeys(uses, 200)


def test_a_machine_with_the_old_key_accepts_signatures_of_the_new_one(use_keys, sign_everything):
    use_keys(NEW, OLD)
    uses = sign_everything()
    use_keys(OLD, NEW)

    assert {name: use().status_code for name, use in uses.items()} == dict.fromkeys(uses, 200)


def test_without_the_old_key_users_and_staff_sign_in_again(use_keys, sign_everything):
    use_keys(OLD)
    uses = sign_everything()
    use_keys(NEW)

    assert uses["personal token"]().status_code == 200
    assert_error(uses["access token"](), 401, "INVALID_TOKEN")
    assert_error(uses["refresh token"](), 401, "INVALID_TOKEN")
    assert_error(uses["cursor"](), 400, "INVALID_CURSOR")
    assert_error(uses["reset token"](), 400, "VALIDATION_ERROR", field="token")
    assert uses["admin session"]().status_code == 302


def test_clients_and_staff_that_were_active_meanwhile_stay_signed_in_without_the_old_key(
    use_keys, sign_everything
):
    use_keys(OLD)
    uses = sign_everything()
    use_keys(NEW, OLD)
    renewed = uses["refresh token"]().json()
    uses["admin session"]()
    use_keys(NEW)

    assert Caller(renewed["access"])("get", "/me").status_code == 200
    assert refresh(renewed["refresh"]).status_code == 200
    assert uses["admin session"]().status_code == 200
