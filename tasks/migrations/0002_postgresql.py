"""On PostgreSQL: keys that include the owner, the order of positions, a search index, frequent vacuums.

The expressions of the index match the SQL of `icontains`. TrigramExtension is not used, because reversing it
queries PostgreSQL's catalogue even on SQLite.
"""

from typing import Any

from django.db import migrations

from todo_project.db.migrations import (
    FREQUENT_VACUUM,
    AddOwnerToPrimaryKey,
    RunPostgreSQL,
    SetTableOptions,
)

FORWARD = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE INDEX task_search ON tasks_task
USING gin (owner_id, UPPER(title::text) gin_trgm_ops, UPPER(description::text) gin_trgm_ops);
CREATE INDEX project_search ON tasks_project USING gin (owner_id, UPPER(name::text) gin_trgm_ops);
CREATE INDEX label_search ON tasks_label USING gin (owner_id, UPPER(name::text) gin_trgm_ops);
"""
# The extensions are kept, because other applications of the database may use them.
BACKWARD = "DROP INDEX label_search; DROP INDEX project_search; DROP INDEX task_search;"

# The database compares texts as its language does. On SQLite the default is byte by byte.
POSITIONS = "".join(
    f"ALTER TABLE tasks_{table} ALTER COLUMN position TYPE varchar(120) COLLATE {{}};"
    for table in ("task", "project", "label")
)


class AddReference(RunPostgreSQL):
    """A foreign key within an owner's rows. It is checked on commit: a write may create both rows."""

    def __init__(self, table: str, name: str, to: str) -> None:
        constraint = f"{table}_{name}_of_owner"
        super().__init__(
            f"ALTER TABLE tasks_{table} ADD CONSTRAINT {constraint} "
            f"FOREIGN KEY ({name}_id, owner_id) REFERENCES tasks_{to} (id, owner_id) "
            "DEFERRABLE INITIALLY DEFERRED",
            f"ALTER TABLE tasks_{table} DROP CONSTRAINT {constraint}",
        )
        self.arguments = [table, name, to]

    def deconstruct(self) -> Any:
        return type(self).__name__, self.arguments, {}


class Migration(migrations.Migration):
    dependencies = [("tasks", "0001_initial")]

    operations = [
        *(AddOwnerToPrimaryKey(f"tasks_{table}") for table in ("task", "project", "label")),
        AddReference("task", "project", "project"),
        AddReference("task", "parent", "task"),
        AddReference("project", "parent", "project"),
        AddReference("tasklabel", "task", "task"),
        AddReference("tasklabel", "label", "label"),
        RunPostgreSQL(POSITIONS.format(*['"C"'] * 3), POSITIONS.format(*['"default"'] * 3)),
        RunPostgreSQL(FORWARD, BACKWARD),
        *(SetTableOptions(f"tasks_{table}", **FREQUENT_VACUUM) for table in ("task", "tasklabel")),
    ]
