"""Writes demo data to the database in batches: COPY on PostgreSQL, INSERT on SQLite."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, models

from tasks.ledger.kinds import Kind, kinds
from tasks.ledger.models import Clock, Tombstone
from tasks.models import TaskLabel

from .objects import GENERATORS, NULL, TASK_LABEL_COLUMNS, TOMBSTONES
from .world import CLOCK_COLUMNS, World

Report = Callable[[str, int], None]
"""Takes the name of the rows' kind, and their number so far."""

LOCK_ID = 5_331  # No other command uses this number.
BATCH_SIZE = 1000
COPY_SIZE = 20 * BATCH_SIZE
"""Rows in one COPY. PostgreSQL queues foreign key checks in memory until the statement ends."""


def lock() -> bool:
    """Lock out other seed commands until the transaction ends; False if one is already running.

    SQLite allows only one writing transaction anyway.
    """
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK_ID])
        return bool(cursor.fetchone()[0])


def fill(world: World, *, password: str, report: Report) -> None:
    """Runs in the caller's transaction. `password` is one hash for all users, because each takes 50 ms."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # A batch may take longer than a request; immediate constraints need no memory until the commit.
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    _create_users(world, password, report)

    def after_batch(kind: Kind, done: int) -> None:
        task_labels, world.task_labels = world.task_labels, []
        _load(TaskLabel, TASK_LABEL_COLUMNS, iter(task_labels))
        report(kind.plural, done)

    for name, generator in GENERATORS.items():
        kind = kinds[name]
        _load(kind.model, generator.columns, generator.all_rows(world), partial(after_batch, kind))
    _load(Clock, CLOCK_COLUMNS, world.clocks())
    _load(Tombstone, TOMBSTONES.columns, TOMBSTONES.all_rows(world))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            # Otherwise the first queries would be planned as if the tables were still empty.
            models_filled: list[Any] = [
                get_user_model(),
                Clock,
                Tombstone,
                TaskLabel,
                *(kinds[name].model for name in GENERATORS),
            ]
            cursor.execute(f"ANALYZE {', '.join(model._meta.db_table for model in models_filled)}")


def _create_users(world: World, password: str, report: Report) -> None:
    users: type[Any] = get_user_model()
    people, done = world.people(), 0
    while batch := list(islice(people, BATCH_SIZE)):
        users.objects.bulk_create(
            users(
                id=person.id,
                email=person.email,
                name=person.name,
                password=password,
                created_at=person.joined_at,
                time_zone=person.language.time_zone,
            )
            for person in batch
        )
        done += len(batch)
        report("users", done)


def _load(
    model: type[models.Model],
    columns: str,
    lines: Iterator[str],
    after_batch: Callable[[int], None] = lambda done: None,
) -> None:
    write = _copy if connection.vendor == "postgresql" else _insert
    done = 0
    while rows := write(model._meta.db_table, columns, lines):
        done += rows
        after_batch(done)


def _copy(table: str, columns: str, lines: Iterator[str]) -> int:
    done = 0
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
    ):
        while done < COPY_SIZE and (batch := list(islice(lines, BATCH_SIZE))):
            copy.write("".join(batch))
            done += len(batch)
    return done


def _insert(table: str, columns: str, lines: Iterator[str]) -> int:
    rows = [_values(line) for line in islice(lines, BATCH_SIZE)]
    if rows:
        placeholders = ", ".join(["%s"] * len(rows[0]))
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({placeholders})", rows)  # noqa: S608
    return len(rows)


def _values(line: str) -> list[str | None]:
    """The values of a line in COPY format. SQLite converts them by the columns' type affinity."""
    return [
        None if value == NULL else value.replace(r"\n", "\n") for value in line.removesuffix("\n").split("\t")
    ]
