"""On PostgreSQL: free space in the pages of clocks, so that no write of an owner touches an index of them."""

from django.db import migrations

from todo_project.db.migrations import RunPostgreSQL


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        RunPostgreSQL(
            "ALTER TABLE ledger_clock SET (fillfactor = 50)", "ALTER TABLE ledger_clock RESET (fillfactor)"
        )
    ]
