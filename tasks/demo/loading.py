"""The world into the database, as fast as that takes it, a part at a time."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, models

from tasks.models import Clock, Task, Tombstone

from .world import CLOCK_COLUMNS, NULL, TASK_COLUMNS, TOMBSTONE_COLUMNS, World

Tell = Callable[[int, str], None]
"""Hears now and then how many there are of what."""

LOCK = 5_331  # Any number that no other command takes.
AT_ONCE = 1000
IN_ONE_COPY = 20 * AT_ONCE
"""PostgreSQL checks foreign keys after each statement, and remembers until then what to check."""


def lock() -> bool:
    """Whether nobody else seeds this database. Held until the transaction ends, so a pooler does not matter.

    On SQLite a transaction that writes is alone anyway.
    """
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def fill(world: World, *, password: str, tell: Tell) -> None:
    """In the caller's transaction. The password is hashed: one hash for all, since each takes 50 ms."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # A part may take longer than a request may, and what is checked at once need not be remembered.
            cursor.execute("SET LOCAL statement_timeout = 0; SET CONSTRAINTS ALL IMMEDIATE")
    _make_users(world, password, tell)
    _load(Clock, CLOCK_COLUMNS, world.clocks(), lambda done: None)
    _load(Task, TASK_COLUMNS, world.all_tasks(), lambda done: tell(done, "tasks"))
    _load(Tombstone, TOMBSTONE_COLUMNS, world.all_tombstones(), lambda done: None)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Else the first queries would be planned as if the tables were still empty.
            filled = (get_user_model(), Clock, Task, Tombstone)
            cursor.execute(f"ANALYZE {', '.join(model._meta.db_table for model in filled)}")


def _make_users(world: World, password: str, tell: Tell) -> None:
    users: type[Any] = get_user_model()
    people, done = world.people(), 0
    while some := list(islice(people, AT_ONCE)):
        users.objects.bulk_create(
            users(
                id=person.id,
                email=person.email,
                name=person.name,
                password=password,
                created_at=person.joined_at,
            )
            for person in some
        )
        done += len(some)
        tell(done, "users")


def _load(model: type[models.Model], columns: str, lines: Iterator[str], tell: Callable[[int], None]) -> None:
    part = _copy if connection.vendor == "postgresql" else _insert
    done = 0
    while rows := part(model._meta.db_table, columns, lines):
        done += rows
        tell(done)


def _copy(table: str, columns: str, lines: Iterator[str]) -> int:
    done = 0
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
    ):
        while done < IN_ONE_COPY and (some := list(islice(lines, AT_ONCE))):
            copy.write("".join(some))
            done += len(some)
    return done


def _insert(table: str, columns: str, lines: Iterator[str]) -> int:
    rows = [_values(line) for line in islice(lines, AT_ONCE)]
    if rows:
        places = ", ".join(["%s"] * len(rows[0]))
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows)  # noqa: S608
    return len(rows)


def _values(line: str) -> list[str | None]:
    """What a line of COPY says; the columns' affinities make numbers of what looks like one."""
    return [
        None if value == NULL else value.replace(r"\n", "\n") for value in line.removesuffix("\n").split("\t")
    ]
