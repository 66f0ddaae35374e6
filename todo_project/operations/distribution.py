"""Distribution over the nodes of a Citus cluster by owner, so that each owner's rows are on one node.

Owned objects are in distributed tables. Users and what is read together with them, such as sessions, are in
reference tables, of which each node has a copy. All other tables stay on the coordinator.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Model

OWNER = "owner_id"
"""The column by which tables are distributed."""

KNOWN_TABLES = (
    "SELECT logicalrelid::regclass::text FROM pg_dist_partition WHERE partmethod = 'h' OR repmodel = 't'"
)

FOREIGN_KEYS = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND conrelid <> confrelid
AND conrelid::regclass::text = ANY(%(tables)s) AND confrelid::regclass::text = ANY(%(tables)s)
AND NOT (conrelid::regclass::text = ANY(%(done)s) AND confrelid::regclass::text = ANY(%(done)s))
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


def statements() -> Iterator[str]:
    """The SQL that distributes the tables that are not distributed yet. It belongs in one transaction."""
    done = [table for (table,) in query(KNOWN_TABLES)]
    accounts, owned = (
        [model._meta.db_table for model in models] for models in (account_models(), owned_models())
    )
    new = [table for table in (*accounts, *owned) if table not in done]
    if not new:
        return
    first = next((table for table in owned if table in done), owned[0])
    # A foreign key leads from a distributed table only to another one, so neither of the two can be first.
    keys = query(FOREIGN_KEYS, {"tables": owned, "done": done})
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


def query(sql: str, params: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
