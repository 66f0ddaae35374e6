"""Indexes for the orderings of the admin's lists, and for searching users.

The expressions of the search index match the SQL that Django generates for `icontains` on PostgreSQL.
"""

from typing import Any

from django.db import migrations, models

FORWARD = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX user_search ON accounts_user
USING gin (UPPER(email::text) gin_trgm_ops, UPPER(name::text) gin_trgm_ops);
"""
# The extension is kept, because other applications of the database may use it.
BACKWARD = "DROP INDEX user_search;"


def make_index(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FORWARD)


def drop_index(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(BACKWARD)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_purge_indexes"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="personaltoken",
            options={"permissions": [("revoke_personaltoken", "Can revoke personal tokens")]},
        ),
        migrations.AlterModelOptions(
            name="session",
            options={"permissions": [("end_session", "Can end sessions")]},
        ),
        migrations.AddIndex(
            model_name="identity",
            index=models.Index(fields=["created_at", "id"], name="identity_created"),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(fields=["created_at", "id"], name="user_created"),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("is_staff", True)), fields=["created_at", "id"], name="user_staff"
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("is_active", False)), fields=["created_at", "id"], name="user_deactivated"
            ),
        ),
        migrations.RunPython(make_index, drop_index),
    ]
