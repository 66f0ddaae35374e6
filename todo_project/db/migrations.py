"""Migration operations for what only one of the databases has."""

from typing import Any

from django.db import migrations


class RunPostgreSQL(migrations.RunSQL):
    """RunSQL on PostgreSQL; on other databases nothing."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class AddOwnerToPrimaryKey(RunPostgreSQL):
    """Make (id, owner_id) the primary key, so that the table can be distributed by owner.

    The id is first, so that the index also finds a row by its id alone, as the admin does. Django keeps `id`
    as the primary key of the model: it registers no composite ones in the admin.
    """

    def __init__(self, table: str) -> None:
        key = f"{table}_pkey"
        replace = f"ALTER TABLE {table} DROP CONSTRAINT {key}, ADD CONSTRAINT {key} PRIMARY KEY"
        super().__init__(f"{replace} (id, owner_id)", f"{replace} (id)")
        self.table = table

    def deconstruct(self) -> Any:
        return type(self).__name__, [self.table], {}


class SetTableOptions(RunPostgreSQL):
    """Storage parameters of a table."""

    def __init__(self, table: str, **options: float) -> None:
        values = ", ".join(f"{name} = {value}" for name, value in options.items())
        super().__init__(
            f"ALTER TABLE {table} SET ({values})", f"ALTER TABLE {table} RESET ({', '.join(options)})"
        )
        self.table, self.options = table, options

    def deconstruct(self) -> Any:
        return type(self).__name__, [self.table], self.options


FREQUENT_VACUUM = {
    "autovacuum_vacuum_scale_factor": 0.02,
    "autovacuum_vacuum_insert_scale_factor": 0.02,
    "autovacuum_analyze_scale_factor": 0.02,
}
"""By default, a fifth of the rows have to change before a vacuum. Of a large table that takes weeks, in which
dead rows fill its pages and counts read the table.

Still a share and not a number: a vacuum reads all indexes, however few rows have changed.
"""

HOT_UPDATES = {"fillfactor": 50}
"""Free space in the pages, so that an update of columns without an index touches no index."""
