"""Users: emails, passwords, and the pages about users in the admin."""

import io

import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from accounts.models import User

PASSWORD = "correct horse battery"


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


def test_a_user_made_by_createsuperuser_can_sign_in_to_the_admin(db, client, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", email="Root@example.com", stdout=io.StringIO())

    response = client.post(
        "/admin/login/?next=/admin/", {"username": "root@EXAMPLE.com", "password": PASSWORD}
    )

    assert response.status_code == 302
    assert response["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_createsuperuser_refuses_an_email_that_is_taken(db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", email="root@example.com", stdout=io.StringIO())

    with pytest.raises(CommandError, match="already taken"):
        call_command("createsuperuser", "--noinput", email="root@example.com", stdout=io.StringIO())


@pytest.fixture
def as_root(db, client):
    client.force_login(User.objects.create_superuser("root@example.com", PASSWORD))
    return client


@pytest.mark.parametrize(
    "page", ["", "add/", "?q=alice", "{alice}/change/", "{alice}/password/", "{alice}/history/"]
)
def test_superusers_can_open_every_page_about_users(as_root, alice, page):
    assert as_root.get(f"/admin/accounts/user/{page.format(alice=alice.pk)}").status_code == 200


def test_superusers_can_add_a_user(as_root):
    fields = {
        "email": "Carol@Example.com",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    response = as_root.post("/admin/accounts/user/add/", fields)

    assert response.status_code == 302
    assert User.objects.get(email="carol@example.com").check_password(PASSWORD)


def test_the_form_reports_an_email_that_is_taken(as_root, alice):
    fields = {
        "email": "ALICE@example.com",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    response = as_root.post("/admin/accounts/user/add/", fields)

    assert response.status_code == 200
    assert b"An account with this email already exists." in response.content
