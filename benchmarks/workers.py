#!/usr/bin/env python3
"""Compare numbers of gunicorn's processes and threads: requests per second, and how long clients wait.

    python benchmarks/workers.py
    python benchmarks/workers.py --processes 2 --threads 4,8,16 --clients 64 --latency 2
    python benchmarks/workers.py --write                                  into docs/performance.md

Starts a PostgreSQL with demo data and, for each combination, gunicorn as in Procfile without rate limits.
Each client has a user and an open connection, and repeats without pauses: a page of 50 tasks, one task, and
an update. With few clients the times tell how long a request takes, and with many how long it waits.

--latency adds milliseconds to each round trip between gunicorn and the database, as a network does.
`connections` is the smallest and the largest number of clients that a process has, and `processor` the
processor time of the server and the database per request.

The clients share the processor with the servers. Needs Linux and PostgreSQL's programs, and takes ten seconds
for each combination.
"""

import argparse
import itertools
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil
import psycopg

from tests.support.load import (
    COUNTER,
    call,
    encode,
    integers,
    processor_times,
    seconds_between,
    send,
)
from tests.support.performance_page import machine, table, write_section
from tests.support.servers.gunicorn import Gunicorn, manage
from tests.support.servers.postgres import Postgres
from tests.support.servers.slow_network import SlowNetwork

API = "/api/v1"
PASSWORD = "only-for-this-benchmark"
USERS_WITH_A_PAGE = """
SELECT email FROM accounts_user JOIN tasks_task ON owner_id = accounts_user.id
WHERE deleted_at IS NULL GROUP BY email HAVING count(*) >= 50 ORDER BY email LIMIT %s
"""
HEAD = ["processes × threads", "clients", "requests/s", "p50", "p99", "processor", "connections", "failed"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=integers, default="1,2,4", help="(default: %(default)s)")
    parser.add_argument("--threads", type=integers, default="4,16", help="of each (default: %(default)s)")
    parser.add_argument("--clients", type=integers, default="8,64", help="(default: %(default)s)")
    parser.add_argument("--latency", type=integers, default="0,2", help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3, help="of each load (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="update docs/performance.md")
    options = parser.parse_args()
    texts = [machine()]
    with Postgres() as postgres, ProcessPoolExecutor(1) as pool:
        clients = create_clients(postgres, max(options.clients))
        for latency in options.latency:
            rows = []
            with SlowNetwork(postgres.url, latency / 1000) as network:
                for processes, threads in itertools.product(options.processes, options.threads):
                    name = f"{processes} × {threads}"
                    print(f"{name}, latency {latency} ms …", file=sys.stderr, flush=True)
                    variables = {"WEB_CONCURRENCY": f"{processes}", "WEB_THREADS": f"{threads}"}
                    url = network.url if latency else postgres.url
                    with Gunicorn(DATABASE_URL=url, **variables) as server:
                        for number in options.clients:
                            chosen = clients[:number]
                            rows.append([name, *measure(postgres, server, pool, chosen, options.seconds)])
            texts += [f"{latency} ms of latency to the database:", table(HEAD, rows)]
    text = "\n\n".join(texts)
    print(text)
    if options.write:
        write_section("workers", text)


def create_clients(postgres: Postgres, number: int) -> list[list[bytes]]:
    """The requests of each."""
    manage(postgres.url, "migrate", "--verbosity", "0")
    # More users than clients, because some have only a few tasks.
    users, tasks = ("--users", f"{number * 4}"), ("--tasks", f"{number * 800}")
    manage(postgres.url, "seed", "--password", PASSWORD, "--no-staff", *users, *tasks)
    with psycopg.connect(postgres.url) as connection:
        emails = [email for (email,) in connection.execute(USERS_WITH_A_PAGE, [number])]
    assert len(emails) == number
    with Gunicorn(DATABASE_URL=postgres.url, ACCESS_TOKEN_MINUTES="1440") as server:
        return [requests_of(server.url, email) for email in emails]


def requests_of(url: str, email: str) -> list[bytes]:
    token = call(f"{url}{API}/auth/token", {"email": email, "password": PASSWORD})[0]["access"]
    page, _ = call(f"{url}{API}/tasks?limit=50", token=token)
    task, user = f"{API}/tasks/{page['results'][0]['id']}", {"Authorization": f"Bearer {token}"}
    return [
        encode("GET", f"{API}/tasks?limit=50", user),
        encode("GET", task, user),
        encode("PATCH", task, user, {"title": f"Renamed {COUNTER}"}),
    ]


def measure(
    postgres: Postgres,
    server: Gunicorn,
    pool: ProcessPoolExecutor,
    clients: list[list[bytes]],
    seconds: float,
) -> list[str]:
    pool.submit(send, server.port, clients, 1).result()  # Opens the connections to the database.
    processes = [*server.processes(), *postgres.processes()]
    before = processor_times(processes)
    future = pool.submit(send, server.port, clients, seconds)
    time.sleep(seconds / 2)
    connections = [clients_of(worker, server.port) for worker in server.processes()[1:]]
    load = future.result(timeout=seconds + 120)
    used = seconds_between(before, processor_times(processes))
    answered = len(load.seconds)
    failed = answered - load.statuses[200]
    return [
        f"{len(clients)}",
        f"{answered / seconds:,.0f}",
        *(f"{load.percentile(percent):.1f}" for percent in (50, 99)),
        f"{used * 1000 / answered:.2f}",
        f"{min(connections)}–{max(connections)}",
        f"{failed}",
    ]


def clients_of(worker: psutil.Process, port: int) -> int:
    return sum(
        each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port
        for each in worker.net_connections("tcp")
    )


if __name__ == "__main__":
    main()
