"""The migration in the operations guide does what the guide says."""

import re

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

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
