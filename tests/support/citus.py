"""A Citus cluster, which is a coordinator and two nodes with the owners' rows; and gunicorn on it."""

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


class Node(Postgres):
    settings = {
        "shared_preload_libraries": "citus",
        "wal_level": "logical",
        "max_prepared_transactions": "200",
        "citus.local_hostname": "127.0.0.1",
        "citus.node_conninfo": "sslmode=prefer",
    }


class Cluster:
    def __init__(self, binaries: Path, enter: Callable[[Any], Any]) -> None:
        self.coordinator, *self.nodes = (enter(Node(binaries)) for _ in range(3))
        self.url = self.coordinator.url
        connect_nodes(self.url, "todo", [node.port for node in (self.coordinator, *self.nodes)])


def create_database(url: str, name: str) -> None:
    """Create a further database on each node of the cluster that this URL leads to."""
    with psycopg.connect(url, autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(1)")  # Other workers of pytest-xdist create one, too.
        ports = [port for (port,) in first.execute("SELECT nodeport FROM pg_dist_node ORDER BY groupid")]
        for port in ports:
            with psycopg.connect(url, port=port, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
        connect_nodes(url, name, ports)


def connect_nodes(url: str, name: str, ports: list[int]) -> None:
    """Make servers, of which the first is the coordinator, the nodes of a database that each of them has."""
    for port in ports:
        with psycopg.connect(url, port=port, autocommit=True, dbname=name) as connection:
            connection.execute("CREATE EXTENSION citus")
    coordinator, *nodes = ports
    with psycopg.connect(url, autocommit=True, dbname=name) as connection:
        connection.execute("SELECT citus_set_coordinator_host('127.0.0.1', %s)", [coordinator])
        for port in nodes:
            connection.execute("SELECT citus_add_node('127.0.0.1', %s)", [port])


class Citus(Servers):
    def __init__(self, binaries: Path) -> None:
        self.binaries = binaries

    def start(self, enter: Callable[[Any], Any]) -> None:
        cluster = Cluster(self.binaries, enter)
        self.postgres, self.nodes = cluster.coordinator, cluster.nodes
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
