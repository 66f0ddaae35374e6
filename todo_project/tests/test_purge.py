"""manage.py purge: its options, what it tells, and what the frame itself remembers."""

import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import OperationalError, transaction
from django.utils import timezone

from tests.support.commands import purge
from tests.support.threads import run_together
from todo_project.management.commands.purge import Command
from todo_project.models import IdempotencyKey
from todo_project.operations import progress, purging

NOW = timezone.now()


def keys(owner, *ages):
    for age in ages:
        created_at = NOW - timedelta(hours=age)
        IdempotencyKey.objects.create(owner=owner, key=f"{age} hours", created_at=created_at)


def left():
    return list(IdempotencyKey.objects.order_by("-created_at").values_list("key", flat=True))


def test_keys_go_when_their_answers_need_not_be_repeated(alice):
    keys(alice, 1, 23, 25, 1000)
    told = purge("--only", "keys")

    assert told[:-1] == ["keys: 2 deleted"]
    assert told[-1].startswith("Done in ")
    assert left() == ["1 hours", "23 hours"]
    assert purge("--only", "keys")[0] == "keys: 0 deleted"


def test_keys_can_be_kept_for_longer(alice):
    keys(alice, 1, 25, 49)

    assert purge("--only", "keys", "--key-days", "2")[0] == "keys: 1 deleted"
    assert left() == ["1 hours", "25 hours"]


def test_a_dry_run_tells_the_same_and_changes_nothing(alice):
    keys(alice, 1, 25, 49)
    told = purge("--only", "keys", "--dry-run")

    assert told[0] == "keys: 2 would go"
    assert told[-1].endswith("Nothing was changed.")
    assert left() == ["1 hours", "25 hours", "49 hours"]


@pytest.mark.parametrize("number", [4, 5, 6])
def test_it_goes_on_where_a_batch_ends(alice, monkeypatch, number):
    monkeypatch.setattr(purging, "AT_ONCE", 2)
    keys(alice, 1, *range(30, 30 + number))

    assert purge("--only", "keys")[0] == f"keys: {number} deleted"
    assert left() == ["1 hours"]


def test_ten_cost_the_same_as_one(alice, django_assert_num_queries):
    """The batch, between the savepoint that begins it and the one that ends it."""
    for number in (1, 10):
        keys(alice, *range(30, 30 + number))
        with django_assert_num_queries(3):
            purge("--only", "keys")


def test_sign_ins_to_the_admin_go_when_they_have_expired(db):
    for key, hours in (("old", -1), ("new", 1)):
        Session.objects.create(session_key=key, expire_date=NOW + timedelta(hours=hours))

    assert purge("--only", "browser-sessions")[0] == "browser-sessions: 1 deleted"
    assert [session.pk for session in Session.objects.all()] == ["new"]


def test_without_a_choice_it_purges_every_kind_there_is(db):
    told = purge()

    assert [line.partition(":")[0] for line in told[:-1]] == [
        "trash",
        "tombstones",
        "sessions",
        "tokens",
        "failed-logins",
        "keys",
        "browser-sessions",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "bread"], "invalid choice: 'bread'"),
        (["--only"], "expected at least one argument"),
        (["--key-days", "0"], "--key-days must be at least 1: younger keys are in use."),
        (["--failed-login-days", "0"], "--failed-login-days must be at least 1"),
        (["--trash-days", "-1"], "'-1' is not a number of days"),
        (["--trash-days", "soon"], "'soon' is not a number of days from 0 to 36500"),
        (["--trash-days", "1.5"], "'1.5' is not a number of days"),
        (["--trash-days", "99999999999"], "is not a number of days from 0 to 36500"),
    ],
)
def test_nonsense_is_refused(alice, arguments, message):
    keys(alice, 25)
    with pytest.raises(CommandError) as refused:
        purge(*arguments)

    assert message in str(refused.value)
    assert refused.value.returncode == 1
    assert left() == ["25 hours"]


def a_batch_and_then(error):
    def purge(before):
        yield 2
        raise error

    return purging.Kind("notes", "notes", days=1, count=lambda before: 0, purge=purge)


INTERRUPTED = a_batch_and_then(KeyboardInterrupt())
STOPPED = a_batch_and_then(OperationalError("no more"))


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [("INTERRUPTED", 130, "Interrupted."), ("STOPPED", 1, "The database stopped this.")],
)
def test_what_ends_it_early_is_told_after_what_is_done(settings, kind, code, message):
    settings.PURGED = [f"{__name__}.{kind}", "todo_project.operations.purging.KEYS"]
    told = StringIO()
    with pytest.raises(CommandError) as ended:
        call_command("purge", stdout=told)

    assert told.getvalue() == "notes: 2 deleted\n"
    assert ended.value.returncode == code
    assert str(ended.value).startswith(message)


@pytest.mark.parametrize("failure", [OperationalError("away"), KeyboardInterrupt()])
def test_a_dry_run_that_ends_early_does_not_say_that_something_is_done(settings, monkeypatch, failure):
    def count(before):
        raise failure

    kind = purging.Kind("notes", "notes", days=1, count=count, purge=lambda before: iter([]))
    monkeypatch.setattr(f"{__name__}.STOPPED", kind)
    settings.PURGED = [f"{__name__}.STOPPED"]
    with pytest.raises(CommandError, match="Nothing was changed") as ended:
        call_command("purge", "--dry-run")

    assert "is done" not in str(ended.value)


def test_the_help_tells_its_own_options_first_and_defaults_as_such():
    told = Command().create_parser("manage.py", "purge").format_help()

    assert told.index("\n  --trash-days") < told.index("\n  --settings")
    assert "keep keys for N days (default: 1" in " ".join(told.split())


def test_who_waits_is_told_how_far_it_is(alice, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0)
    monkeypatch.setattr(purging, "AT_ONCE", 2)
    keys(alice, *range(30, 33))

    assert purge("--only", "keys")[:-1] == ["keys: 2 so far", "keys: 3 so far", "keys: 3 deleted"]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_at_once_delete_each_row_once(alice, monkeypatch):
    monkeypatch.setattr(purging, "AT_ONCE", 3)
    keys(alice, 1, *range(30, 130))
    told = run_together(6, lambda: purge("--only", "keys")[0])

    assert sum(int(line.split()[1]) for line in told) == 100
    assert left() == ["1 hours"]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_does_not_wait_for_a_row_that_is_in_use(alice):
    keys(alice, 1, 30, 31)
    locked, purged, told = threading.Event(), threading.Event(), []

    def hold():
        with transaction.atomic():
            IdempotencyKey.objects.select_for_update().get(key="30 hours")
            locked.set()
            assert purged.wait(timeout=20)

    def work():
        assert locked.wait(timeout=20)
        told.append(purge("--only", "keys")[0])
        purged.set()

    works = iter([hold, work])
    run_together(2, lambda: next(works)())

    assert told == ["keys: 1 deleted"]
    assert left() == ["1 hours", "30 hours"]
