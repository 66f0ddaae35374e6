"""Users: emails, passwords, and the pages about users in the admin."""

import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError
from django.db import IntegrityError

from accounts.models import User
from tests.support.caller import PASSWORD
from tests.support.commands import run


def test_an_email_is_stored_in_lower_case(db):
    user = User.objects.create_user("  Alice@Example.COM ", PASSWORD)

    assert user.email == "alice@example.com"
    assert User.objects.get_by_natural_key("ALICE@example.com") == user


def test_a_second_account_with_the_same_email_is_refused(alice):
    with pytest.raises(IntegrityError):
        User.objects.create_user("ALICE@example.com")


def test_the_database_refuses_an_email_in_upper_case(db):
    with pytest.raises(IntegrityError):
        User.objects.bulk_create([User(email="Alice@example.com")])


def test_ids_are_random(alice, bob):
    assert alice.pk.version == 4
    assert alice.pk != bob.pk


def test_a_password_is_hashed_by_argon2id_with_the_chosen_parameters(db):
    user = User.objects.create_user("alice@example.com", PASSWORD)

    assert user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert check_password(PASSWORD, user.password)


def test_a_user_without_a_password_cannot_sign_in(bob, client):
    assert not bob.has_usable_password()
    assert not client.login(email="bob@example.com", password="")
    bob.set_password(PASSWORD)
    bob.save()
    assert client.login(email="bob@example.com", password=PASSWORD)


def test_createsuperuser_creates_one_user_who_can_sign_in_to_the_admin(db, client, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    run("createsuperuser", "--noinput", "--email=Root@example.com")
    with pytest.raises(CommandError, match="already taken"):
        run("createsuperuser", "--noinput", "--email=root@example.com")

    form = {"username": "root@EXAMPLE.com", "password": PASSWORD}
    response = client.post("/admin/login/?next=/admin/", form)
    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert client.get("/admin/").status_code == 200


def test_superusers_can_add_a_user_with_an_email_that_is_not_taken(superuser):
    form = {
        "email": "Carol@Example.com",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    created, taken = (superuser.post("/admin/accounts/user/add/", form) for _ in range(2))

    assert (created.status_code, taken.status_code) == (302, 200)
    assert User.objects.get(email="carol@example.com").check_password(PASSWORD)
    assert b"An account with this email already exists." in taken.content
