#!/usr/bin/env python3
"""Compare the speed of `manage.py seed` with that of psql's \\copy of the same tasks.

    python benchmarks/seed_speed.py postgresql://todo@127.0.0.1:5432/empty --tasks 1000000 --rounds 3

Migrates the database, so that both write to all constraints and indexes, and empties the tables of users and
tasks between rounds; it refuses a database with users. The time of seed is that of the whole process, that of
\\copy the time of psql reading an existing file. Prints rows per second, their ratio and seed's peak memory.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = {"ENV_FILE": os.devnull, "DEBUG": "true", "SECRET_KEY": "only for this benchmark " * 3}
EMPTY = "SET client_min_messages = warning; TRUNCATE accounts_user CASCADE"


def run(arguments: list[str], **environment: str) -> tuple[str, float]:
    started = time.perf_counter()
    completed = subprocess.run(
        arguments, cwd=ROOT, env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE, text=True
    )
    return completed.stdout, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", help="URL of an empty database")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    def manage(*arguments: str) -> float:
        return run([sys.executable, "manage.py", *arguments], **SETTINGS, DATABASE_URL=options.url)[1]

    def psql(command: str) -> tuple[str, float]:
        return run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", command, options.url])

    manage("migrate", "--verbosity", "0")
    if int(psql("SELECT count(*) FROM accounts_user")[0]):
        sys.exit("The database contains users, whom this benchmark would delete. Use an empty database.")
    seeds, copies = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tasks"
        for number in range(options.rounds):
            psql(EMPTY)
            psql("CHECKPOINT")
            seeds.append(manage("seed", "-v0", "--users", str(options.users), "--tasks", str(options.tasks)))
            if not number:
                psql(f"\\copy tasks_task TO '{file}'")
            psql("TRUNCATE tasks_task")
            psql("CHECKPOINT")
            copies.append(psql(f"\\copy tasks_task FROM '{file}'")[1])
            print(f"seed {seeds[-1]:6.1f} s   \\copy {copies[-1]:6.1f} s", flush=True)
        psql(EMPTY)
    seed, copy = (options.tasks / statistics.median(times) for times in (seeds, copies))
    print(f"seed {seed:,.0f} rows/s, \\copy {copy:,.0f} rows/s, ratio {seed / copy:.2f}")
    # The maximum of all child processes; psql needs far less.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"peak memory {peak / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
