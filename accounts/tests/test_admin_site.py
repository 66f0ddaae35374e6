"""The admin site: signing in, one's own password, and what it does not reveal."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from accounts.models import FailedLogin, Session, User
from tests.support.admin_client import USERS
from tests.support.caller import API, PASSWORD

NEW = "another horse, another battery"
FORM = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}


@pytest.fixture
def user(superuser):
    """The superuser, with a password."""
    user = User.objects.get()
    user.set_password(PASSWORD)
    user.save()
    superuser.force_login(user)
    return user


def test_a_crash_in_the_admin_reveals_nothing(superuser, alice, monkeypatch, caplog):
    def crash(*args):
        raise RuntimeError(f"secret detail {alice.password}")

    monkeypatch.setattr("accounts.admin.users.UserAdmin.sign_in_method", crash)
    response = superuser.get(f"{USERS}{alice.pk}/change/")

    assert response.status_code == 500
    assert b"secret detail" not in response.content


def test_the_api_does_not_accept_the_admins_session_cookie(superuser):
    assert superuser.get(f"{API}/me").status_code == 401


def test_the_dashboard_is_on_the_index_page_only(superuser):
    assert "figures-panel" in superuser.get("/admin/").content.decode()
    assert "figures-panel" not in superuser.get("/admin/accounts/").content.decode()


def test_changing_ones_own_password_ends_ones_sessions(superuser, user):
    session = Session.objects.create(user=user, expires_at=timezone.now() + timedelta(days=1))

    assert superuser.post("/admin/password_change/", {**FORM, "old_password": "wrong"}).status_code == 200
    assert Session.objects.live(at=timezone.now()).count() == 1

    assert superuser.post("/admin/password_change/", FORM).status_code == 302
    session.refresh_from_db()
    user.refresh_from_db()
    assert session.ended_at is not None
    assert user.check_password(NEW)
    assert LogEntry.objects.get().get_change_message() == "Changed password."
    assert superuser.get("/admin/").status_code == 200


def test_guesses_of_ones_own_old_password_are_limited(superuser, user):
    wrong = {**FORM, "old_password": "wrong"}
    pages = [superuser.post("/admin/password_change/", wrong).content.decode() for _ in range(6)]

    assert ["entered incorrectly" in page for page in pages] == [True] * 5 + [False]
    assert "Too many failed sign-ins. Try again in 15 minutes." in pages[5]
    superuser.post("/admin/password_change/", FORM)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize("key", ["x", "1", "9" * 20])
def test_there_is_no_view_on_site_redirect(superuser, key):
    assert superuser.get(f"/admin/r/1/{key}/").status_code == 404


@pytest.mark.parametrize(
    "form", [{}, {"username": "root@example.com"}, {"password": "x"}, {"username": "\0", "password": "\0"}]
)
def test_an_incomplete_login_shows_errors(client, db, form):
    page = client.post("/admin/login/", form)

    assert page.status_code == 200
    assert page.context["form"].errors
    assert not FailedLogin.objects.exists()
