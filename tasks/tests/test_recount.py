"""manage.py recount, and the doctor's check of the counts."""

import pytest
from django.core import checks
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks.ledger import diagnosis
from tasks.ledger.counts import recount
from tasks.ledger.models import Clock
from tasks.models import Task
from tests.support.commands import run
from tests.support.tasks import create_task, trashed
from todo_project.models import IdempotencyUsage

CORRECT = {"task": {"open": 2, "completed": 1, "trashed": 1}}
REPAIRED = "Users compared: 2. Users whose counts differed and were repaired: 1."


@pytest.fixture
def counted(as_alice, as_bob, alice):
    """Alice's clock; Bob has a task too."""
    create_task(as_bob)
    for completed in (False, False, True):
        create_task(as_alice, completed=completed)
    trashed(as_alice)
    clock = Clock.objects.for_user(alice)
    assert clock.get().counts == CORRECT
    return clock


WRONG = [
    {},
    {"task": {"open": 3, "completed": 1, "trashed": 1}},
    {"task": {"open": 2, "completed": 1}},
    {"task": {"open": 2, "completed": 1, "trashed": 1, "late": 1}},
    {**CORRECT, "ghost": {"open": 1}},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_counts_are_repaired(counted, as_alice, alice, wrong):
    counted.update(counts=wrong)
    output, _ = run("recount")

    assert output.splitlines() == [
        f"The counts of user {alice.pk} differ from the rows.",
        REPAIRED,
    ]
    assert counted.get().counts == CORRECT
    assert as_alice("get", "/tasks/stats").json() == {"open": 2, "completed": 1, "overdue": 0, "trashed": 1}
    assert run("recount")[0] == "Users compared: 2. All counts are correct.\n"


@pytest.mark.parametrize("wrong", WRONG)
def test_a_dry_run_only_reports_wrong_counts_and_exits_with_3(counted, alice, capsys, wrong):
    counted.update(counts=wrong)
    with pytest.raises(SystemExit) as ended:
        run("recount", "--dry-run")

    assert ended.value.code == 3
    assert counted.get().counts == wrong


@pytest.mark.parametrize("wrong", [{"keys": 2}, {"size": 1}, None])
def test_wrong_totals_of_stored_responses_are_repaired(as_alice, alice, wrong):
    as_alice("post", "/tasks", {"title": "milk"}, **{"Idempotency-Key": "one"})
    usage = IdempotencyUsage.objects.filter(owner=alice)
    before = usage.values().get()
    assert before["keys"] == 1
    assert before["size"] > 300
    usage.update(**wrong) if wrong else usage.delete()
    output, _ = run("recount")

    assert f"The counts of user {alice.pk} differ from the rows." in output
    assert usage.values().get() == before
    assert run("recount")[0] == "Users compared: 1. All counts are correct.\n"


def test_a_dry_run_ends_normally_if_all_counts_are_correct(counted):
    assert run("recount", "--dry-run")[0] == "Users compared: 2. All counts are correct.\n"


@pytest.mark.django_db(transaction=True)
def test_a_user_who_is_deleted_during_the_comparison_is_not_repaired(alice, bob):
    IdempotencyUsage.objects.bulk_create(IdempotencyUsage(owner=user, keys=1) for user in (alice, bob))
    first, last = sorted((alice, bob), key=lambda user: user.pk)
    compared = recount(repair=True)
    next(compared)
    last.delete()
    list(compared)

    assert IdempotencyUsage.objects.values_list("owner", "keys").get() == (first.pk, 0)


def test_the_counts_of_a_user_who_has_created_nothing_are_correct(alice):
    assert run("recount")[0] == "Users compared: 1. All counts are correct.\n"
    assert not Clock.objects.exists()


def test_repairing_keeps_versions_and_epoch(counted):
    before = counted.values("epoch", "tick", "pruned_version").get()
    counted.update(counts={})
    run("recount")

    assert counted.values("epoch", "tick", "pruned_version").get() == before


def test_comparing_takes_one_query_per_user_and_locks_nothing(counted):
    with CaptureQueriesContext(connection) as captured:
        run("recount")

    statements = [query["sql"] for query in captured]
    # A batch of users and an empty one, the stored responses of the batch, and each user's objects.
    assert len(statements) == 2 + 1 + 2
    assert not any("FOR" in sql and "UPDATE" in sql for sql in statements)


def test_the_doctor_finds_rows_that_were_changed_with_sql(counted):
    [message] = diagnosis.counts()
    assert message == checks.Info("Users whose counts were compared with the rows: 2; all are correct.")

    Task.objects.filter(completed=True).delete()
    [message] = diagnosis.counts()
    assert message.level == checks.ERROR
    assert message.msg == "Users whose counts were compared with the rows: 2; different: 1."
    assert str(message.hint).startswith("Run `manage.py recount`")


def test_the_doctor_compares_only_for_a_few_seconds(counted, monkeypatch):
    monkeypatch.setattr(diagnosis, "SECONDS", 0)

    assert list(diagnosis.counts()) == [
        checks.Info("Users whose counts were compared with the rows: 1; all are correct.")
    ]
