"""The search's index, on PostgreSQL. Its expressions are those that Django writes for `icontains`."""

from typing import Any

from django.contrib.postgres.operations import BtreeGinExtension, TrigramExtension
from django.db import migrations


def make_index(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "CREATE INDEX task_search ON tasks_task USING gin "
            "(owner_id, UPPER(title::text) gin_trgm_ops, UPPER(description::text) gin_trgm_ops)"
        )


def drop_index(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX task_search")


class Migration(migrations.Migration):
    dependencies = [("tasks", "0001_tasks")]

    operations = [
        TrigramExtension(),
        BtreeGinExtension(),
        migrations.RunPython(make_index, drop_index),
    ]
