"""What the operators' runbook tells them to run on the tasks' tables does what it says there."""

import re

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tasks.models import Clock
from tests.support.assertions import assert_error
from tests.support.tasks import create_task

BOOK = (settings.BASE_DIR / "docs" / "operations.md").read_text()


def indexes():
    with connection.cursor() as cursor:
        return set(connection.introspection.get_constraints(cursor, "tasks_task"))


@pytest.mark.django_db(transaction=True)
def test_its_migration_makes_an_index_beside_the_writers():
    [code] = re.findall(r"```python\n(.*?)```", BOOK, re.DOTALL)
    namespace: dict = {}
    exec(code, namespace)
    migration = namespace["Migration"]("9999_index", "tasks")
    state = MigrationExecutor(connection).loader.project_state()

    with connection.schema_editor(atomic=migration.atomic) as editor:
        after = migration.apply(state.clone(), editor)
    made_it = "task_completed" in indexes()
    with connection.schema_editor(atomic=migration.atomic) as editor:
        migration.unapply(state.clone(), editor)

    assert made_it
    assert "task_completed" not in indexes()
    assert "task_completed" in {index.name for index in after.models["tasks", "task"].options["indexes"]}


@pytest.fixture
def time_went_back(as_alice, alice):
    """A backup was restored: Alice's client has seen a change that the server has not made yet."""
    create_task(as_alice)
    tick = Clock.objects.get(pk=alice).tick
    return tick + 1


def after_a_restore():
    [statement] = re.findall(r"UPDATE tasks_clock .*;", BOOK)
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_after_a_restore_a_client_from_the_future_begins_anew_however_late_it_comes(as_alice, time_went_back):
    after_a_restore()
    create_task(as_alice)

    assert_error(as_alice("get", f"/sync?since={time_went_back}"), 410, "RESYNC_REQUIRED")


def test_without_that_it_would_miss_what_is_written_under_its_number(as_alice, time_went_back):
    """Why the runbook asks for it; a server cannot know by itself that time went back."""
    create_task(as_alice)

    assert as_alice("get", f"/sync?since={time_went_back}").json()["changes"] == []


def test_after_a_restore_a_client_that_reads_anew_has_everything_and_goes_on(as_alice, time_went_back):
    after_a_restore()
    page = as_alice("get", "/sync?since=0").json()
    new = create_task(as_alice)

    assert [change["version"] for change in page["changes"]] == [1]
    following = as_alice("get", f"/sync?since={page['since']}").json()
    assert [change["id"] for change in following["changes"]] == [new["id"]]
    assert new["version"] == 1_000_002
