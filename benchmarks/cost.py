#!/usr/bin/env python3
"""Measure what a request costs: processor time of the server and of PostgreSQL, queries, bytes and latency.

    python benchmarks/cost.py                               each operation, with 10,000 tasks in the database
    python benchmarks/cost.py --only "page of 50" search
    python benchmarks/cost.py --sizes 10000,1000000 --owners 1000,100000     and how the costs grow
    python benchmarks/cost.py --sizes 10000,1000000,5000000 --owners 1000,100000 --write

Starts a PostgreSQL with a database of demo data for each size, and for each database gunicorn as in Procfile,
with two processes and without rate limits. Each database also has a user for each number in --owners, who
sends the requests. --write updates docs/performance.md and its chart.

The kernel's clock of each process tells its processor time; the client is a process of its own, which does
not count. All databases and owners take turns in short slices. `growth` compares each with the first: it is
the median of the ratios of slices of the same round. Milliseconds are only worth quoting from a machine that
does nothing else.

Needs Linux and PostgreSQL's programs. Takes two minutes for the first database and owner, one more for each
other, and two to create a million tasks, which need 2 GB.
"""

import argparse
import contextlib
import os
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psycopg

from tests.support.load import (
    COUNTER,
    Load,
    call,
    encode,
    integers,
    processor_times,
    seconds_between,
    send,
    sign_in_to_admin,
)
from tests.support.performance_page import bar_chart, machine, table, write_section
from tests.support.servers.gunicorn import Gunicorn, environment, manage
from tests.support.servers.postgres import Postgres

API = "/api/v1"
PASSWORD = "only-for-this-benchmark"
STAFF = "staff@example.com"
WARM_UP = 0.5
OPERATIONS = [
    "page of 50",
    "unchanged page",
    "one task",
    "search",
    "sync of 50",
    "stats",
    "update",
    "bulk of 100",
    "sign-in",
    "admin's task list",
    "create",  # last, because it adds to the owner's tasks
]


@dataclass
class Slice:
    server: float
    """Milliseconds of processor time per request."""
    database: float
    load: Load

    @property
    def total(self) -> float:
        return self.server + self.database


@dataclass
class Target:
    """An owner of tasks in one of the databases, and the server of that database."""

    size: int
    tasks: int
    server: Gunicorn
    email: str
    slices: dict[str, list[Slice]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.tasks:,} of {self.size:,}"

    def __post_init__(self) -> None:
        credentials = {"email": self.email, "password": PASSWORD}
        self.token = call(f"{self.server.url}{API}/auth/token", credentials)[0]["access"]
        tasks, _ = call(f"{self.server.url}{API}/tasks?limit=100", token=self.token)
        ids = [task["id"] for task in tasks["results"]]
        words = Counter(word for task in tasks["results"] for word in re.findall(r"[a-z]{4,}", task["title"]))
        rename = {"title": f"Renamed {COUNTER}"}
        bulk = {"operations": [{"op": "update", "id": each, "data": rename} for each in ids]}
        user = {"Authorization": f"Bearer {self.token}"}
        staff = {"Cookie": sign_in_to_admin(self.server.url, STAFF, PASSWORD)}
        self.requests = {
            "page of 50": encode("GET", f"{API}/tasks?limit=50", user),
            "one task": encode("GET", f"{API}/tasks/{ids[0]}", user),
            "search": encode("GET", f"{API}/tasks?limit=50&q={max(words, key=words.__getitem__)}", user),
            "sync of 50": encode("GET", f"{API}/sync?limit=50", user),
            "stats": encode("GET", f"{API}/tasks/stats", user),
            "update": encode("PATCH", f"{API}/tasks/{ids[0]}", user, rename),
            "create": encode("POST", f"{API}/tasks", user, {**rename, "description": "A description. " * 5}),
            "bulk of 100": encode("POST", f"{API}/bulk", user, bulk),
            "sign-in": encode("POST", f"{API}/auth/token", {}, credentials),
            "admin's task list": encode("GET", "/admin/tasks/task/", staff),
        }

    def request(self, operation: str) -> bytes:
        if operation in self.requests:
            return self.requests[operation]
        _, headers = call(f"{self.server.url}{API}/tasks?limit=50", token=self.token)
        unchanged = {"Authorization": f"Bearer {self.token}", "If-None-Match": headers["ETag"]}
        return encode("GET", f"{API}/tasks?limit=50", unchanged)

    def median(self, operation: str, part: str) -> float:
        return statistics.median(getattr(each, part) for each in self.slices[operation])

    def growth(self, operation: str, first: "Target") -> float:
        pairs = zip(self.slices[operation], first.slices[operation], strict=True)
        return statistics.median(each.total / other.total for each, other in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes",
        type=integers,
        default="10000",
        help="numbers of tasks of other users (default: %(default)s)",
    )
    parser.add_argument(
        "--owners", type=integers, default="1000", help="numbers of tasks of the owner (default: %(default)s)"
    )
    parser.add_argument(
        "--only", nargs="+", default=OPERATIONS, choices=OPERATIONS, metavar="OPERATION",
        help=f"{', '.join(OPERATIONS)}; by default all",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2, help="of each slice (default: %(default)s)")
    parser.add_argument(
        "--connections",
        type=int,
        default=2,
        help="of the owner; half of a process's threads serve one user (default: %(default)s)",
    )
    parser.add_argument("--write", action="store_true", help="update docs/performance.md")
    options = parser.parse_args()
    with Postgres() as postgres, contextlib.ExitStack() as servers, ProcessPoolExecutor(1) as client:
        targets = [
            target for size in options.sizes for target in start(postgres, size, options.owners, servers)
        ]
        started = machine()
        for operation in options.only:
            report(f"{operation} …")
            measure(postgres, targets, operation, client, options)
        text = results(postgres, targets)
    print(f"{started}\n\n{text}")
    if options.write:
        bars = {
            name: (targets[0].median(name, "server"), targets[0].median(name, "database"))
            for name in options.only
        }
        write_section("cost", f"{started}\n\n{text}", chart=bar_chart(bars, ("server", "database")))


def report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def start(
    postgres: Postgres, size: int, owners: Sequence[int], servers: contextlib.ExitStack
) -> Iterator[Target]:
    name = f"size_{size}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = f"{postgres.url.rpartition('/')[0]}/{name}"
    manage(url, "migrate", "--verbosity", "0")
    report(f"Creating {size:,} tasks …")
    seed = ("seed", "--password", PASSWORD)
    staff = ("--staff-email", STAFF, "--staff-password", PASSWORD)
    manage(url, *seed, *staff, "--users", f"{size // 100 or 1}", "--tasks", f"{size}")
    emails = {}
    for tasks in owners:
        alone = ("--add", "--no-staff", "--seed", f"{tasks}", "--users", "1", "--tasks", f"{tasks}")
        emails[tasks] = re.findall(r"Demo login: +(\S+)", manage(url, *seed, *alone))[0]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    # The token has to outlast thousands of sign-ins, and the owner of 100,000 tasks creates more.
    quotas = {"QUOTA_TASKS": "1000000", "QUOTA_SESSIONS": "10000"}
    variables = {"WEB_CONCURRENCY": "2", "ACCESS_TOKEN_MINUTES": "1440", **quotas}
    server = servers.enter_context(Gunicorn(DATABASE_URL=url, **variables))
    for tasks, email in emails.items():
        yield Target(size, tasks, server, email)


def measure(
    postgres: Postgres,
    targets: Sequence[Target],
    operation: str,
    client: ProcessPoolExecutor,
    options: argparse.Namespace,
) -> None:
    for number in range(options.rounds + 1):
        for target in targets:
            requests = [[target.request(operation)]] * options.connections
            seconds = options.seconds if number else WARM_UP
            before = [processor_times(each.processes()) for each in (target.server, postgres)]
            load = client.submit(send, target.server.port, requests, seconds).result(timeout=seconds + 120)
            after = [processor_times(each.processes()) for each in (target.server, postgres)]
            if unexpected := {*load.statuses} - {200, 201, 304}:
                sys.exit(f"{operation}: unexpected status {', '.join(map(str, unexpected))}.")
            if number:
                used = map(seconds_between, before, after)
                server, database = (each * 1000 / len(load.seconds) for each in used)
                target.slices.setdefault(operation, []).append(Slice(server, database, load))


def count_queries(postgres: Postgres, target: Target, operation: str) -> int:
    """Without BEGIN, COMMIT and settings. From the database's log, which changes what a request costs."""
    set_in_postgres(postgres, "log_statement = 'all'")
    counts = []
    for _ in range(4):
        requests = [[target.request(operation)]]
        before = len(postgres.log)
        send(target.server.port, requests, seconds=0)
        statements = re.findall(r"LOG:  (?:statement|execute [^:]+): \W*(\w+)", postgres.log[before:])
        counts.append(len([each for each in statements if each not in ("BEGIN", "COMMIT", "SET")]))
    set_in_postgres(postgres, "log_statement = 'none'")
    return min(counts)  # A thread's first request may need more.


def set_in_postgres(postgres: Postgres, setting: str) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)  # until its processes have read it


def results(postgres: Postgres, targets: Sequence[Target]) -> str:
    first = targets[0]
    rows = []
    for operation, slices in first.slices.items():
        seconds = [each for part in slices for each in part.load.seconds]
        load = Load(seconds, size=sum(part.load.size for part in slices))
        rows.append([
            operation,
            *(f"{first.median(operation, part):.2f}" for part in ("server", "database", "total")),
            f"{count_queries(postgres, first, operation)}",
            f"{load.size / len(seconds):,.0f}",
            *(f"{load.percentile(percent):.1f}" for percent in (50, 99)),
        ])  # fmt: skip
        if operation == "sign-in":
            rows.append(["of it, the password hash", f"{hash_time():.2f}", *[""] * 6])
    # What a worker shares with the others counts in equal parts.
    memory = [each.memory_full_info().pss / 2**20 for each in first.server.processes()[1:]]
    texts = [
        f"An owner of {first.tasks:,} tasks in a database of {first.size:,}. Milliseconds of processor time "
        "per request, queries, bytes of a response, and milliseconds until it arrives:",
        table(["", "server", "database", "both", "queries", "bytes", "p50", "p99"], rows),
        f"Memory per worker process: {statistics.mean(memory):.0f} MB.",
    ]
    if len(targets) > 1:
        growth = [
            [operation, *(f"{each.growth(operation, first):.2f}" for each in targets)]
            for operation in first.slices
        ]
        texts += [
            "Growth: processor time of both, divided by that in the first column. Each column is an owner's "
            "tasks and those of all others:",
            table(["", *map(str, targets)], growth),
        ]
    return "\n\n".join(texts)


def hash_time() -> float:
    """Milliseconds of processor time to check a password, here."""
    os.environ |= environment(
        DATABASE_URL="sqlite://:memory:", DJANGO_SETTINGS_MODULE="todo_project.settings"
    )
    import django

    django.setup()
    from django.contrib.auth.hashers import check_password, make_password

    encoded, times = make_password(PASSWORD), []
    for _ in range(20):
        started = time.process_time()
        check_password(PASSWORD, encoded)
        times.append((time.process_time() - started) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
