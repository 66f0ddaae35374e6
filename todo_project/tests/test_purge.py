"""manage.py purge: options, output, and the data of the frame itself."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from tests.support.commands import purge, run
from tests.support.registries import use_entries
from tests.support.threads import run_together
from todo_project.db import stored_responses
from todo_project.management.commands.purge import Command
from todo_project.models import IdempotencyKey, IdempotencyUsage
from todo_project.operations import progress, purging

NOW = timezone.now()


def keys(owner, *ages):
    for age in ages:
        created_at = NOW - timedelta(hours=age)
        IdempotencyKey.objects.create(owner=owner, key=f"{age} hours", created_at=created_at)


def sessions(*ages):
    for age in ages:
        Session.objects.create(session_key=f"{age} hours", expire_date=NOW - timedelta(hours=age))


def sessions_left():
    return list(Session.objects.order_by("-expire_date").values_list("pk", flat=True))


def left():
    return list(IdempotencyKey.objects.order_by("-created_at").values_list("key", flat=True))


@pytest.mark.parametrize(
    ("options", "line", "end", "kept"),
    [
        ([], "keys: 2 deleted", "Done in ", 2),
        (["--key-days", "2"], "keys: 1 deleted", "Done in ", 3),
        (["--dry-run"], "keys: 2 would be deleted", "Nothing was changed.", 4),
    ],
)
def test_keys_are_deleted_when_their_responses_are_no_longer_repeated(alice, options, line, end, kept):
    keys(alice, 1, 23, 25, 49)
    first, last = purge("--only", "keys", *options)

    assert first == line
    assert end in last
    assert left() == ["1 hours", "23 hours", "25 hours", "49 hours"][:kept]


@pytest.mark.parametrize("number", [4, 5, 6])
def test_it_deletes_all_rows_however_they_divide_into_batches(db, monkeypatch, number):
    monkeypatch.setattr(purging, "BATCH_SIZE", 2)
    sessions(-1, *range(30, 30 + number))

    assert purge("--only", "browser-sessions")[0] == f"browser-sessions: {number} deleted"
    assert sessions_left() == ["-1 hours"]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_it_deletes_the_keys_of_all_users_however_they_divide_into_batches(alice, bob, monkeypatch, size):
    monkeypatch.setattr(stored_responses, "BATCH_SIZE", size)
    for user in (alice, bob):
        keys(user, 1, 30, 31)

    assert purge("--only", "keys")[0] == "keys: 4 deleted"
    assert left() == ["1 hours", "1 hours"]


def test_deleting_ten_rows_costs_the_same_queries_as_one(db, django_assert_num_queries):
    """The batch, between its savepoint and the release of it."""
    for number in (1, 10):
        sessions(*range(30, 30 + number))
        with django_assert_num_queries(3):
            purge("--only", "browser-sessions")


def test_deleting_ten_keys_of_a_user_costs_the_same_queries_as_one(alice, django_assert_num_queries):
    """The owners, then their totals, the rows and the totals again, and no further owners."""
    for number in (1, 10):
        keys(alice, *range(30, 30 + number))
        with django_assert_num_queries(6 + 2):
            purge("--only", "keys")


def test_expired_admin_sessions_are_deleted(db):
    sessions(1, -1)

    assert purge("--only", "browser-sessions")[0] == "browser-sessions: 1 deleted"
    assert sessions_left() == ["-1 hours"]


def test_by_default_it_purges_every_kind(db):
    lines = purge()

    names = "keys, browser-sessions, sessions, tokens, failed-logins, erasures, trash, tombstones"
    assert ", ".join(line.partition(":")[0] for line in lines[:-1]) == names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "bread"], "invalid choice: 'bread'"),
        (["--only"], "expected at least one argument"),
        (["--trash-days", "-1"], "'-1' is not a number of days"),
        (["--trash-days", "soon"], "'soon' is not a number of days from 0 to 36500"),
        (["--trash-days", "1.5"], "'1.5' is not a number of days"),
        (["--trash-days", "99999999999"], "is not a number of days from 0 to 36500"),
    ],
)
def test_invalid_arguments_are_rejected(alice, arguments, message):
    keys(alice, 25)
    with pytest.raises(CommandError) as error:
        purge(*arguments)

    assert message in str(error.value)
    assert error.value.returncode == 1  # Of call_command(); the program exits with 2.
    assert left() == ["25 hours"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--key-days", "0"], "--key-days must be at least 1: younger keys are still in use."),
        (["--failed-login-days", "0"], "--failed-login-days must be at least 1"),
    ],
)
def test_data_that_is_still_in_use_is_not_purged(alice, arguments, message):
    keys(alice, 25)
    with pytest.raises(CommandError) as error:
        purge(*arguments)

    assert message in str(error.value)
    assert error.value.returncode == 2
    assert left() == ["25 hours"]


@pytest.fixture
def register_only(monkeypatch):
    def register_only(**policies):
        use_entries(monkeypatch, purging.policies, policies)

    return register_only


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "Interrupted. Everything listed above has been deleted;"),
        (OperationalError("no more"), 1, "Database error: no more. Run `manage.py doctor`"),
    ],
)
def test_a_purge_that_ends_early_lists_what_it_has_deleted(register_only, error, code, message):
    def purge_and_fail(before):
        yield 2
        raise error

    notes = purging.PurgePolicy("notes", IdempotencyKey.objects.filter, days=1, delete=purge_and_fail)
    register_only(notes=notes, keys=purging.policies["keys"])
    output = StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("purge", stdout=output)

    assert output.getvalue() == "notes: 2 deleted\n"
    assert failure.value.returncode == code
    assert str(failure.value).startswith(message)
    assert str(failure.value).endswith("has been deleted; run this again for the rest.")


@pytest.mark.parametrize("error", [OperationalError("away"), KeyboardInterrupt()])
def test_a_dry_run_that_ends_early_says_that_nothing_was_changed(register_only, error):
    def older_than(before):
        raise error

    register_only(notes=purging.PurgePolicy("notes", older_than, days=1))
    with pytest.raises(CommandError, match="Nothing was changed") as failure:
        call_command("purge", "--dry-run")

    assert "deleted" not in str(failure.value)


def test_help_lists_the_commands_own_options_first_with_their_defaults():
    text = Command().create_parser("manage.py", "purge").format_help()

    assert text.index("\n  --trash-days") < text.index("\n  --settings")
    assert "keep keys for N days (default: 1" in " ".join(text.split())


def test_a_long_purge_reports_its_progress(db, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0)
    monkeypatch.setattr(purging, "BATCH_SIZE", 2)
    sessions(30, 31, 32)

    progress_lines = "browser-sessions: 2 so far\nbrowser-sessions: 3 so far\n"
    assert run("purge", "--only", "browser-sessions")[1] == progress_lines


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_concurrent_purges_delete_each_row_once(db, monkeypatch):
    monkeypatch.setattr(purging, "BATCH_SIZE", 3)
    sessions(-1, *range(30, 130))
    lines = run_together(6, lambda: purge("--only", "browser-sessions")[0])

    assert sum(int(line.split()[1]) for line in lines) == 100
    assert sessions_left() == ["-1 hours"]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_concurrent_purges_delete_and_count_each_key_once(django_user_model):
    for number in range(10):
        user = django_user_model.objects.create_user(f"{number}@example.com")
        keys(user, 1, 30, 31)
        IdempotencyUsage.objects.create(owner=user, keys=3)
    lines = run_together(6, lambda: purge("--only", "keys")[0])

    assert sum(int(line.split()[1]) for line in lines) == 20
    assert left() == ["1 hours"] * 10
    assert set(IdempotencyUsage.objects.values_list("keys", flat=True)) == {1}


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_skips_a_locked_row(db):
    sessions(-1, 30, 31)
    with transaction.atomic():
        Session.objects.select_for_update().get(pk="30 hours")
        [lines] = run_together(1, purge_without_waiting)

    assert lines[0] == "browser-sessions: 1 deleted"
    assert sessions_left() == ["-1 hours", "30 hours"]


def purge_without_waiting():
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
    return purge("--only", "browser-sessions")
