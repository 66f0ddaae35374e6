"""manage.py erase_user, and its effects that DELETE /me shares."""

from io import StringIO

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.management import CommandError

from accounts.models import FailedLogin, Identity, Session, User
from tests.support.caller import PASSWORD, Caller, sign_in
from tests.support.commands import run


@pytest.fixture
def eve(db):
    """A staff member."""
    return User.objects.create_superuser("eve@example.com", PASSWORD)


@pytest.fixture
def mentioned(alice, bob, eve):
    """Alice. The history and the failed sign-ins mention her, and Bob."""
    for user in (alice, bob):
        Identity.objects.create(user=user, issuer="i", subject=user.name)
        for row in (user, user.identities.get()):
            log(eve, row)
        sign_in(user.email, "wrong")
    return alice


def log(staff, row):
    LogEntry.objects.log_actions(
        staff.pk, [row], CHANGE, change_message="changed the name", single_object=True
    )


def test_a_dry_run_lists_what_would_be_deleted(mentioned):
    report, _ = run("erase_user", "alice@example.com", "--dry-run")

    assert report.splitlines() == [
        f"alice@example.com, registered on {mentioned.created_at:%Y-%m-%d}:",
        "  identities: 1",
        "  failed sign-ins: 1",
        "  mentions in the history: 2",
        "Nothing was changed.",
    ]
    assert (User.objects.count(), FailedLogin.objects.count()) == (3, 2)
    assert not LogEntry.objects.filter(change_message="").exists()


def by_command(alice):
    run("erase_user", alice.email, "--yes")


def by_herself(alice):
    Caller(sign_in().json()["access"])("delete", "/me", {"password": PASSWORD})


@pytest.mark.parametrize("erase", [by_command, by_herself])
def test_mentions_of_the_user_elsewhere_are_erased(mentioned, erase):
    FailedLogin.objects.create(email=str(mentioned.pk), at=mentioned.created_at)
    erase(mentioned)

    assert set(User.objects.values_list("email", flat=True)) == {"bob@example.com", "eve@example.com"}
    assert [identity.subject for identity in Identity.objects.all()] == ["Bob"]
    assert [failure.email for failure in FailedLogin.objects.all()] == ["bob@example.com"]
    entries = LogEntry.objects.order_by("pk").values_list("object_repr", "change_message")
    assert list(entries) == [
        ("(erased)", ""),
        ("(erased)", ""),
        ("bob@example.com", "changed the name"),
        ("Bob at i", "changed the name"),
    ]


def test_actions_of_a_staff_member_are_kept_as_former_staffs_who_cannot_be_erased(mentioned, eve):
    run("erase_user", "eve@example.com", "--yes")

    assert not User.objects.filter(pk=eve.pk).exists()
    assert LogEntry.objects.filter(object_repr="alice@example.com").count() == 1
    assert {str(entry.user) for entry in LogEntry.objects.all()} == {"Former staff"}
    former = User.objects.get(name="Former staff")
    assert (former.is_active, former.is_staff, former.has_usable_password()) == (False, False, False)
    with pytest.raises(CommandError, match="represents all former staff .* Nothing was changed."):
        run("erase_user", str(former.pk), "--yes")
    assert User.objects.filter(pk=former.pk).exists()


@pytest.mark.parametrize("typed", ["", "yes\n", "bob@example.com\n", "ALICE@EXAMPLE.COM\n"])
def test_the_email_must_be_typed_to_confirm(alice, monkeypatch, typed):
    monkeypatch.setattr("sys.stdin", StringIO(typed))
    with pytest.raises(CommandError, match="The answer does not match. Nothing was changed."):
        run("erase_user", alice.email)
    assert User.objects.exists()

    monkeypatch.setattr("sys.stdin", StringIO("alice@example.com\n"))
    assert run("erase_user", alice.email)[0].endswith(
        "alice@example.com and everything listed above has been erased.\n"
    )
    assert not User.objects.exists()


def test_a_user_without_an_email_is_confirmed_by_id(db, monkeypatch):
    user = User.objects.create_user(None)
    monkeypatch.setattr("sys.stdin", StringIO(f"{user.pk}\n"))
    run("erase_user", str(user.pk))

    assert not User.objects.exists()


def test_erasing_ten_sessions_costs_the_same_queries_as_one(alice, bob, django_assert_max_num_queries):
    """The deleted rows are not loaded."""
    Session.objects.create(user=bob, expires_at=bob.created_at)
    for _ in range(10):
        Session.objects.create(user=alice, expires_at=alice.created_at)
    with django_assert_max_num_queries(100) as of_one:
        run("erase_user", bob.email, "--yes")
    with django_assert_max_num_queries(len(of_one)):
        run("erase_user", alice.email, "--yes")

    assert not User.objects.exists()


@pytest.mark.parametrize("command", [["erase_user", "--yes"], ["export_user"]])
@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_does_not_match_a_user_without_an_email(db, command, name):
    """A shell variable that is not set must not name a user."""
    User.objects.create_user(None)
    with pytest.raises(CommandError, match="There is no account with the email or id"):
        run(*command, name)

    assert User.objects.exists()
