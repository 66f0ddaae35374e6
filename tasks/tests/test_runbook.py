"""The migration and the SQL for tasks in the operations guide do what the guide says."""

import re

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tasks.models import Clock
from tests.support.assertions import assert_error
from tests.support.tasks import create_task

GUIDE = (settings.BASE_DIR / "docs" / "operations.md").read_text()


def indexes():
    with connection.cursor() as cursor:
        return set(connection.introspection.get_constraints(cursor, "tasks_task"))


@pytest.mark.django_db(transaction=True)
def test_the_example_migration_creates_and_drops_an_index():
    [code] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    namespace: dict = {}
    exec(code, namespace)
    migration = namespace["Migration"]("9999_index", "tasks")
    state = MigrationExecutor(connection).loader.project_state()

    with connection.schema_editor(atomic=migration.atomic) as editor:
        after = migration.apply(state.clone(), editor)
    was_created = "task_completed" in indexes()
    with connection.schema_editor(atomic=migration.atomic) as editor:
        migration.unapply(state.clone(), editor)

    assert was_created
    assert "task_completed" not in indexes()
    assert "task_completed" in {index.name for index in after.models["tasks", "task"].options["indexes"]}


@pytest.fixture
def future_version(as_alice, alice):
    """After a restore from a backup, Alice's client knows a version that the server has not reached yet."""
    create_task(as_alice)
    tick = Clock.objects.get(pk=alice).tick
    return tick + 1


def run_the_statement_for_a_restore():
    [statement] = re.findall(r"UPDATE tasks_clock .*;", GUIDE)
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_after_the_statement_a_client_that_is_ahead_starts_over_even_if_it_syncs_late(
    as_alice, future_version
):
    run_the_statement_for_a_restore()
    create_task(as_alice)

    assert_error(as_alice("get", f"/sync?since={future_version}"), 410, "RESYNC_REQUIRED")


def test_without_the_statement_the_client_would_miss_a_change(as_alice, future_version):
    """The reason for the statement: the server cannot detect a restore by itself."""
    create_task(as_alice)

    assert as_alice("get", f"/sync?since={future_version}").json()["changes"] == []


def test_after_the_statement_a_client_that_starts_over_receives_everything(as_alice, future_version):
    run_the_statement_for_a_restore()
    page = as_alice("get", "/sync?since=0").json()
    new = create_task(as_alice)

    assert [change["version"] for change in page["changes"]] == [1]
    following = as_alice("get", f"/sync?since={page['since']}").json()
    assert [change["id"] for change in following["changes"]] == [new["id"]]
    assert new["version"] == 1_000_002
