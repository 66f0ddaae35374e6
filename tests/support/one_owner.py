"""Each statement of an API request reads the rows of one owner, as its plan on PostgreSQL shows.

So it runs on one node of a database that is distributed by owner, which finds the node in the same way. On
Citus, the plan shows the number of shards.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from django.db import connection

from todo_project.db.distribution import is_distributed
from todo_project.operations.distribution import OWNER, owned_models

EXCEPTIONS = (
    # A distributed database gets one query for the credential, and one for its user.
    'FROM "accounts_personaltoken" INNER JOIN',
    'FROM "accounts_user" INNER JOIN "accounts_identity"',
)
explained: set[str] = set()
"""The statements of this process that have been checked already."""


class NotOfOneOwner(AssertionError):
    """A statement whose rows may be on several nodes."""


@contextmanager
def checked() -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    found: list[str] = []

    def check(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql not in explained and any(table in sql for table in tables()):
            explained.add(sql)
            found.extend(faults(sql, params))
        return result

    with connection.execute_wrapper(check):
        yield
    if found:
        raise NotOfOneOwner("\n".join(found))


@cache
def tables() -> frozenset[str]:
    return frozenset(model._meta.db_table for model in owned_models())


def faults(sql: str, params: Any) -> list[str]:
    # A search is sent together with its lock, which reads no table.
    sql = sql.rpartition("; ")[2]
    params = params and params[-sql.count("%s") :]
    with psycopg.ClientCursor(connection.connection) as cursor:
        [[[explained]]] = cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
    if on_citus := list(jobs(explained)):
        return [f"{job['Task Count']} shards: {sql}" for job in on_citus if job["Task Count"] > 1]
    owners: set[str | None] = set()
    wrong = []
    for node in nodes(explained["Plan"]):
        if node.get("Relation Name") in tables() and node["Node Type"] != "ModifyTable":
            conditions = [node[name] for name in ("Index Cond", "Recheck Cond", "Filter") if name in node]
            if found := {*map(owner_in, conditions)} - {None}:
                owners |= found
            else:
                wrong.append(f"{node['Alias']} is read without its {OWNER}: {sql}")
    if not is_distributed() and any(each in sql for each in EXCEPTIONS):
        return []
    return wrong if len(owners) <= 1 else [*wrong, f"{len(owners)} owners: {sql}"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


def jobs(part: Any) -> Iterator[dict[str, Any]]:
    """What Citus runs on the nodes, wherever it is in a plan."""
    if isinstance(part, dict):
        if "Job" in part:
            yield part["Job"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from jobs(each)


def owner_in(condition: str) -> str | None:
    """The owner of all rows that meet a condition, as PostgreSQL prints it."""
    text = condition[1:-1]
    if found := re.fullmatch(rf"(?:\w+\.)?{OWNER} = '([0-9a-f-]{{36}})'::uuid", text):
        return found[1]
    if len(parts := split(text, " OR ")) > 1:
        owners = {owner_in(each) for each in parts}
        return owners.pop() if len(owners) == 1 else None
    parts = split(text, " AND ")
    return next(filter(None, map(owner_in, parts)), None) if len(parts) > 1 else None


def split(text: str, word: str) -> list[str]:
    """Outside parentheses."""
    parts, depth = [""], 0
    for token in re.split(rf"('(?:[^']|'')*'|[()]|{word})", text):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == word and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return parts
