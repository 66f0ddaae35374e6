"""On PostgreSQL: free space in the pages of clocks, which each write updates, and frequent vacuums."""

from django.db import migrations

from todo_project.db.migrations import FREQUENT_VACUUM, HOT_UPDATES, SetTableOptions


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        SetTableOptions("ledger_clock", **HOT_UPDATES),
        SetTableOptions("ledger_tombstone", **FREQUENT_VACUUM),
    ]
