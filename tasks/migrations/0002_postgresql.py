"""On PostgreSQL: a primary key that includes the owner, an index for searching, and frequent vacuums.

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

# By default, a fifth of the rows have to change before a vacuum. Of a large table that takes weeks, in which
# dead rows fill its pages, the search reads its list of pending changes, and the counts read the table.
VACUUM = """
ALTER TABLE tasks_task SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
"""
DEFAULT_VACUUM = """
ALTER TABLE tasks_task RESET (
    autovacuum_vacuum_scale_factor,
    autovacuum_vacuum_insert_scale_factor,
    autovacuum_analyze_scale_factor
);
"""


class Migration(migrations.Migration):
    dependencies = [("tasks", "0001_initial")]

    operations = [
        AddOwnerToPrimaryKey("tasks_task"),
        RunPostgreSQL(FORWARD, BACKWARD),
        RunPostgreSQL(VACUUM, DEFAULT_VACUUM),
    ]
