"""Passwords, wherever they are set or checked."""

import pytest
from django.core.management import call_command

from accounts.models import User
from accounts.password_reset import token_generator
from tests.support.admin_client import USERS
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, Caller, sign_in, signed_in

pytestmark = pytest.mark.any_database

TYPED = "ﬁne horse, ﬁne battery"
"""Another keyboard types the two ligatures as fi."""
NORMALIZED = "fine horse, fine battery"


def by_registering(password, superuser, monkeypatch):
    User.objects.filter(email="alice@example.com").delete()
    body = {"email": "alice@example.com", "password": password, "name": "Alice Liddell"}
    return Caller()("post", "/auth/register", body)


def by_changing_it(password, superuser, monkeypatch):
    body = {"current_password": PASSWORD, "new_password": password}
    return signed_in(User.objects.get(email="alice@example.com"))("post", "/me/password", body)


def by_a_reset(password, superuser, monkeypatch):
    alice = User.objects.get(email="alice@example.com")
    body = {"token": f"{alice.pk.hex}.{token_generator.make_token(alice)}", "new_password": password}
    return Caller()("post", "/auth/password/reset/confirm", body)


def by_staff(password, superuser, monkeypatch):
    alice = User.objects.get(email="alice@example.com")
    form = {"usable_password": "true", "password1": password, "password2": password}
    return superuser.post(f"{USERS}{alice.pk}/password/", form)


def by_a_command(password, superuser, monkeypatch):
    User.objects.filter(email="alice@example.com").delete()
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
    call_command("createsuperuser", "--noinput", "--email", "alice@example.com", verbosity=0)


@pytest.mark.parametrize("set_password", [by_registering, by_changing_it, by_a_reset, by_staff, by_a_command])
@pytest.mark.parametrize(("stored", "typed"), [(TYPED, NORMALIZED), (NORMALIZED, TYPED)])
def test_a_password_is_the_same_however_a_keyboard_writes_it(
    alice, superuser, monkeypatch, set_password, stored, typed
):
    set_password(stored, superuser, monkeypatch)

    assert sign_in(password=typed).status_code == 200
    assert sign_in(password=typed + "!").status_code == 401


@pytest.mark.parametrize(
    ("password", "constraint"),
    [
        (" " * 12, "password_blank"),
        ("\u3000" * 12, "password_blank"),
        ("ｐａｓｓｗｏｒｄ１２３", "password_too_common"),
        ("８３７２９１０４８５７", "password_entirely_numeric"),
        ("ａｌｉｃｅ＠ｅｘａｍｐｌｅ．ｃｏｍ", "password_too_similar"),
        ("Alice@Example", "password_too_similar"),
        ("Alice Liddell", "password_too_similar"),
    ],
)
@pytest.mark.parametrize(
    ("set_password", "field"),
    [(by_registering, "password"), (by_changing_it, "new_password"), (by_a_reset, "new_password")],
)
def test_a_weak_password_is_refused_in_any_form(
    alice, superuser, monkeypatch, set_password, field, password, constraint
):
    User.objects.filter(pk=alice.pk).update(name="Alice Liddell")
    response = set_password(password, superuser, monkeypatch)

    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)


def test_staff_cannot_set_a_password_of_spaces(alice, superuser, monkeypatch):
    page = by_staff(" " * 12, superuser, monkeypatch)

    assert "The password must not consist of spaces only." in page.content.decode()
