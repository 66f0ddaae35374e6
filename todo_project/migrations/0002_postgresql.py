"""On PostgreSQL: a key that includes the owner, free space for updates, frequent vacuums."""

from django.db import migrations

from todo_project.db.migrations import FREQUENT_VACUUM, HOT_UPDATES, AddOwnerToPrimaryKey, SetTableOptions


class Migration(migrations.Migration):
    dependencies = [("todo_project", "0001_initial")]

    operations = [
        AddOwnerToPrimaryKey("todo_project_idempotencykey"),
        SetTableOptions("todo_project_idempotencykey", **FREQUENT_VACUUM),
        SetTableOptions("todo_project_idempotencyusage", **HOT_UPDATES),
    ]
