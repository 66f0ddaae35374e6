"""A change of an owner's stored responses reads them only after it has the lock on their totals."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.support.commands import run
from tests.support.locks import transaction_blocking
from todo_project.db import stored_responses
from todo_project.models import IdempotencyKey, IdempotencyUsage

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

IN_AN_HOUR = timedelta(hours=1)


@pytest.fixture
def task(as_alice):
    """In the trash; the response to its creation is stored."""
    task = as_alice("post", "/tasks", {"title": "milk"}, **{"Idempotency-Key": "one"}).json()
    as_alice("delete", f"/tasks/{task['id']}")
    return task


def expire(owner):
    return stored_responses.expire(owner.pk, before=timezone.now() + IN_AN_HOUR)


WRITES = {
    "a permanent deletion": lambda caller, task: caller("delete", f"/trash/{task['id']}"),
    "an expiry": lambda caller, task: list(stored_responses.expire_all(timezone.now() + IN_AN_HOUR)),
    "a repair": lambda caller, task: run("recount"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_responses_that_expire_meanwhile_are_subtracted_once(as_alice, alice, task, write):
    if write is WRITES["a repair"]:
        IdempotencyUsage.objects.update(keys=7)
    with transaction_blocking(lambda: write(as_alice, task), before_commit=lambda: expire(alice)) as results:
        list(IdempotencyUsage.objects.filter(owner=alice).select_for_update(no_key=True))

    assert getattr(results[0], "status_code", 200) == 200
    assert not IdempotencyKey.objects.exists()
    assert IdempotencyUsage.objects.values_list("keys", "size").get() == (0, 0)
