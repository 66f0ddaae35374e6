"""gunicorn on a Citus cluster: a coordinator, and two nodes with the owners' rows."""

import http.client
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from .chaos import SILENCE, Servers, kill_database
from .processes import TIMEOUT
from .run_app import prepare, run_program
from .servers.gunicorn import Gunicorn
from .servers.postgres import Postgres

OPTIONS = {
    "shared_preload_libraries": "citus",
    "wal_level": "logical",
    "max_prepared_transactions": "200",
    "citus.local_hostname": "127.0.0.1",
    "citus.node_conninfo": "sslmode=prefer",
}


class Node(Postgres):
    def command(self) -> list[str | Path]:
        options = [part for name, value in OPTIONS.items() for part in ("-c", f"{name}={value}")]
        return [*super().command(), *options]

    def populate(self) -> None:
        super().populate()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION citus")


class Citus(Servers):
    def __init__(self, binaries: Path) -> None:
        self.binaries = binaries

    def start(self, enter: Callable[[Any], Any]) -> None:
        self.postgres, *self.nodes = (enter(Node(self.binaries)) for _ in range(3))
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute("SELECT citus_set_coordinator_host('127.0.0.1', %s)", [self.postgres.port])
            for node in self.nodes:
                connection.execute("SELECT citus_add_node('127.0.0.1', %s)", [node.port])
        prepare(self.postgres.url)
        ended = run_program([sys.executable, "manage.py", "distribute"], DATABASE_URL=self.postgres.url)
        assert ended.returncode == 0, ended.stderr
        self.gunicorn = enter(Gunicorn(DATABASE_URL=self.postgres.url, WEB_CONCURRENCY="2"))

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.gunicorn.port, timeout=TIMEOUT)


def kill_node(servers: Citus, number: int) -> None:
    servers.nodes[number].kill()
    time.sleep(SILENCE)
    servers.nodes[number].start()


def restart_node(servers: Citus, number: int) -> None:
    servers.nodes[number].stop()
    servers.nodes[number].start()


Citus.faults = {
    "kill -9 of the first node": partial(kill_node, number=0),
    "kill -9 of the second node": partial(kill_node, number=1),
    "restart of the first node": partial(restart_node, number=0),
    "kill -9 of the coordinator": kill_database,
}
