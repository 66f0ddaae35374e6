"""Users sign in by email, unique whatever its case, and their passwords are kept by Argon2id."""

import io

import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from accounts.models import User

PASSWORD = "correct horse battery"


def test_an_email_is_kept_in_lower_case(db):
    user = User.objects.create_user("  Alice@Example.COM ", PASSWORD)

    assert user.email == "alice@example.com"
    assert User.objects.get_by_natural_key("ALICE@example.com") == user


def test_a_second_account_with_the_same_email_is_refused(alice):
    with pytest.raises(IntegrityError):
        User.objects.create_user("ALICE@example.com")


def test_the_database_itself_refuses_an_email_in_capitals(db):
    with pytest.raises(IntegrityError):
        User.objects.bulk_create([User(email="Alice@example.com")])


def test_an_id_tells_nothing(alice, bob):
    assert alice.pk.version == 4
    assert alice.pk != bob.pk


def test_a_password_is_kept_by_argon2id_at_the_chosen_cost(db):
    user = User.objects.create_user("alice@example.com", PASSWORD)

    assert user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert check_password(PASSWORD, user.password)


def test_a_user_without_a_password_cannot_sign_in(bob, client):
    assert not bob.has_usable_password()
    assert not client.login(email="bob@example.com", password="")
    bob.set_password(PASSWORD)
    bob.save()
    assert client.login(email="bob@example.com", password=PASSWORD)


def test_createsuperuser_makes_one_who_signs_in_to_the_admin(db, client, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", email="Root@example.com", stdout=io.StringIO())

    response = client.post(
        "/admin/login/?next=/admin/", {"username": "root@EXAMPLE.com", "password": PASSWORD}
    )

    assert response.status_code == 302
    assert response["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_createsuperuser_a_second_time_is_refused(db, monkeypatch):
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
def test_staff_see_every_page_about_users(as_root, alice, page):
    assert as_root.get(f"/admin/accounts/user/{page.format(alice=alice.pk)}").status_code == 200


def test_staff_add_a_user(as_root):
    fields = {
        "email": "Carol@Example.com",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    response = as_root.post("/admin/accounts/user/add/", fields)

    assert response.status_code == 302
    assert User.objects.get(email="carol@example.com").check_password(PASSWORD)


def test_an_email_that_is_taken_is_told_in_the_form(as_root, alice):
    fields = {
        "email": "ALICE@example.com",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    response = as_root.post("/admin/accounts/user/add/", fields)

    assert response.status_code == 200
    assert b"An account with this email already exists." in response.content
