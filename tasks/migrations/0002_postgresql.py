"""On PostgreSQL: a primary key that includes the owner, and an index for searching.

The expressions of the index match the SQL of `icontains`. TrigramExtension is not used, because reversing it
queries PostgreSQL's catalogue even on SQLite.
"""

from django.db import migrations

from todo_project.db.migrations import AddOwnerToPrimaryKey, RunPostgreSQL

FORWARD = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE INDEX task_search ON tasks_task
USING gin (owner_id, UPPER(title::text) gin_trgm_ops, UPPER(description::text) gin_trgm_ops);
"""
# The extensions are kept, because other applications of the database may use them.
BACKWARD = "DROP INDEX task_search;"


class Migration(migrations.Migration):
    dependencies = [("tasks", "0001_initial")]

    operations = [AddOwnerToPrimaryKey("tasks_task", index="task_id"), RunPostgreSQL(FORWARD, BACKWARD)]
