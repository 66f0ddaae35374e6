#!/usr/bin/env python3
"""Compare the table of tasks with the same table in hash partitions by owner.

    python benchmarks/partitions.py --tasks 1000000 --partitions 32

Starts a PostgreSQL with demo data and copies the table. Prints milliseconds, medians of many owners: a page,
one task by its owner and by its id alone, as in the admin, and an update; planning a statement anew; and the
seconds of a vacuum after 2 % of the rows have changed.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psycopg

from tests.support.servers.gunicorn import manage
from tests.support.servers.postgres import Postgres

TABLES = PLAIN, PARTITIONED = "tasks_task", "tasks_partitioned"
OWNERS = 300

STATEMENTS = {
    "page of 51": "SELECT * FROM {} WHERE owner_id = %(owner)s AND deleted_at IS NULL "
    "ORDER BY created_at DESC, id DESC LIMIT 51",
    "one task": "SELECT * FROM {} WHERE id = %(id)s AND owner_id = %(owner)s",
    "one task by its id alone": "SELECT * FROM {} WHERE id = %(id)s",
    "newest 51 of all owners": "SELECT * FROM {} ORDER BY created_at DESC LIMIT 51",
    "update": "UPDATE {} SET title = title || '.', version = version + 1000000 "
    "WHERE id = %(id)s AND owner_id = %(owner)s",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=1_000_000, help="(default: %(default)s)")
    parser.add_argument("--partitions", type=int, default=32, help="(default: %(default)s)")
    options = parser.parse_args()
    with Postgres() as postgres:
        manage(postgres.url, "migrate", "--verbosity", "0")
        users = options.tasks // 200
        manage(postgres.url, "seed", "--users", str(users), "--tasks", str(options.tasks), "--no-staff")
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            copy(connection, options.partitions)
            rows = connection.execute(
                f"SELECT owner_id, (array_agg(id))[1] FROM {PLAIN} GROUP BY 1 ORDER BY 1 LIMIT %s", [OWNERS]
            ).fetchall()
            print(f"{options.tasks:,} tasks, {options.partitions} partitions")
            for name, sql in STATEMENTS.items():
                show(name, *(execute(connection, sql.format(table), rows) for table in TABLES))
            for name in ("page of 51", "one task by its id alone"):
                times = (plan(connection, STATEMENTS[name].format(table), rows) for table in TABLES)
                show(f"plan of {name}", *times)
            for table, parts in zip(TABLES, ([PLAIN], partitions(options.partitions)), strict=True):
                changes = "description = description || '.' WHERE version % 50 = 0"
                connection.execute(f"UPDATE {table} SET {changes}")
                seconds = [elapsed(partial(connection.execute, f"VACUUM {part}")) for part in parts]
                print(f"{f'vacuum of {table}, s':40}{sum(seconds):10.2f}, the longest {max(seconds):.2f}")


def copy(connection: Any, number: int) -> None:
    like = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING INDEXES INCLUDING STORAGE"
    connection.execute(f"CREATE TABLE {PARTITIONED} (LIKE {PLAIN} {like}) PARTITION BY HASH (owner_id)")
    for remainder, part in enumerate(partitions(number)):
        connection.execute(
            f"CREATE TABLE {part} PARTITION OF {PARTITIONED} "
            f"FOR VALUES WITH (MODULUS {number}, REMAINDER {remainder})"
        )
    sql = (
        "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
    )
    [columns] = connection.execute(sql, [PLAIN]).fetchone()
    connection.execute(f"INSERT INTO {PARTITIONED} ({columns}) SELECT {columns} FROM {PLAIN}")
    for table in (PLAIN, PARTITIONED):
        connection.execute(f"VACUUM ANALYZE {table}")


def partitions(number: int) -> list[str]:
    return [f"{PARTITIONED}_{remainder}" for remainder in range(number)]


def show(name: str, plain: float, partitioned: float) -> None:
    print(f"{name:40}{plain:10.3f}{partitioned:10.3f}{partitioned / plain:8.2f}", flush=True)


def execute(connection: Any, sql: str, rows: Sequence[Any]) -> float:
    """As a prepared statement, after the first calls, for which PostgreSQL plans it each time."""
    run = partial(connection.execute, sql, prepare=True)
    times = [elapsed(partial(run, {"owner": owner, "id": task})) for owner, task in rows]
    return statistics.median(times[10:]) * 1000


def plan(connection: Any, sql: str, rows: Sequence[Any]) -> float:
    times = []
    for owner, task in rows[:100]:
        literal = psycopg.ClientCursor(connection).mogrify(sql, {"owner": owner, "id": task})
        lines = connection.execute(f"EXPLAIN (SUMMARY) {literal}").fetchall()
        times += [float(line.split()[2]) for (line,) in lines if line.startswith("Planning Time")]
    return statistics.median(times)


def elapsed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
