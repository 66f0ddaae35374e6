"""Distribution over the nodes of a Citus cluster by owner, so that each owner's rows are on one node.

Owned objects are in distributed tables. Users and what is read together with them, such as sessions, are in
reference tables, of which each node has a copy. All other tables stay on the coordinator.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management.color import no_style
from django.db import connection
from django.db.models import Model

from .doctor.endpoints import query

OWNER = "owner_id"
"""The column by which tables are distributed."""

SETTINGS = {
    # Without these two, a transaction cannot change tables of both kinds, as the erasure of a user does.
    "citus.multi_shard_modify_mode": "sequential",
    "citus.enable_local_execution": "off",
    # The nodes take the locks, so the limit of a transaction for its locks has to hold there.
    "citus.propagate_set_commands": "local",
}
"""What the role of the application needs."""

KNOWN_TABLES = (
    "SELECT logicalrelid::regclass::text FROM pg_dist_partition WHERE partmethod = 'h' OR repmodel = 't'"
)

FOREIGN_KEYS = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND conrelid <> confrelid
AND conrelid::regclass::text = ANY(%s) AND confrelid::regclass::text = ANY(%s)
AND NOT (conrelid::regclass::text = ANY(%s) AND confrelid::regclass::text = ANY(%s))
ORDER BY 1, 2
"""


def owned_models() -> list[type[Model]]:
    return [model for model in apps.get_models() if any(each.attname == OWNER for each in fields(model))]


def account_models() -> list[type[Model]]:
    """The user, and the models of the same app that refer to it."""
    user = get_user_model()
    return [
        model
        for model in apps.get_app_config(user._meta.app_label).get_models()
        if model is user or any(each.related_model is user for each in fields(model))
    ]


def fields(model: type[Model]) -> Any:
    return model._meta.concrete_fields


def missing_settings(database: Any = connection) -> list[str]:
    """The statements that give the role of a connection the settings that it needs and does not have."""
    [(role, name)] = query(database, "SELECT quote_ident(current_user), quote_ident(current_database())")
    return [
        f"ALTER ROLE {role} IN DATABASE {name} SET {setting} = '{value}'"
        for setting, value in SETTINGS.items()
        if query(database, "SELECT current_setting(%s, true)", setting) != [(value,)]
    ]


def new_tables(database: Any = connection) -> list[str]:
    """Those that are not distributed yet, of accounts first."""
    done = {table for (table,) in query(database, KNOWN_TABLES)}
    return [table for table in (*tables(account_models()), *tables(owned_models())) if table not in done]


def tables(models: list[type[Model]]) -> list[str]:
    return [model._meta.db_table for model in models]


def statements() -> Iterator[str]:
    """The SQL that distributes what is not distributed yet. It belongs in one transaction."""
    yield from missing_settings()
    accounts, owned, new = tables(account_models()), tables(owned_models()), new_tables()
    if not new:
        return
    done = [table for table in owned if table not in new]
    first = (done or owned)[0]
    # A foreign key leads from a distributed table only to another one, so neither of the two can be first.
    keys = query(connection, FOREIGN_KEYS, owned, owned, done, done)
    # On several connections, a transaction would not see its own new shards.
    yield "SET LOCAL citus.multi_shard_modify_mode = 'sequential'"
    for table, name, _ in keys:
        yield f"ALTER TABLE {table} DROP CONSTRAINT {name}"
    for table in new:
        if table in accounts:
            yield f"SELECT create_reference_table('{table}')"
        else:
            together = "none" if table == first else first
            yield f"SELECT create_distributed_table('{table}', '{OWNER}', colocate_with => '{together}')"
    for table, name, definition in keys:
        yield f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"
    # Citus also converts the tables that refer to users, and their identity columns start again with 1.
    for sql in connection.ops.sequence_reset_sql(no_style(), apps.get_models(include_auto_created=True)):
        yield sql.removesuffix(";")
