"""Checks of the databases: first each URL, then the database that it leads to."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.db import DatabaseError, InterfaceError
from django.db.backends.base.base import BaseDatabaseWrapper

from todo_project.config import database
from todo_project.db.errors import EXHAUSTED, EXHAUSTED_HINT

from .endpoints import Endpoint, connected, endpoints, is_missing_file, place_of, query, replica_endpoint
from .postgres import CHECKS, SAMPLES, connections, migrations
from .redaction import redacted
from .replicas import check_replica
from .runner import Check, app_database_checks

SLOW_ROUND_TRIP = 0.03

HINTS = {
    "authentication failed": "Copy the URL from the database's console again. Special characters in the "
    "password must be percent-encoded.",
    "does not exist": "Correct the name of the role or the database in the URL.",
    "certificate": "Use the host name that the server's certificate was issued for. Leave sslrootcert "
    "out unless the server uses a private certificate authority.",
    "SSL": "Check that the server supports TLS, and that the URL leads to the right server.",
    "resolve": "Correct the host in the URL.",
    "translate host name": "Correct the host in the URL.",
    **dict.fromkeys(EXHAUSTED, EXHAUSTED_HINT),
}
UNREACHABLE = "Check the host and the port, that the database is running, and that it accepts this machine."


class Databases:
    """The first checks find out which URLs can be reached; the later ones use those."""

    def __init__(self, *, hosts: int = 1) -> None:
        self.hosts = hosts
        self.endpoints = endpoints()
        self.replica = replica_endpoint()
        self.reached: list[Endpoint] = []

    def checks(self) -> Iterator[tuple[str, Check]]:
        for endpoint in self.endpoints:
            yield endpoint.variable, partial(self.reach, endpoint, self.reached)
        yield "both URLs", self.compare
        yield "database", self.warn_if_unreachable
        for name, check in CHECKS.items():
            yield name, partial(self.run_inside, check)
        yield "connections", partial(self.run_inside, partial(connections, hosts=self.hosts))
        for name, app_check in app_database_checks.items():
            yield name, partial(self.run_app_check, app_check)
        if self.replica:
            yield self.replica.variable, self.compare_with_replica

    def compare_with_replica(self) -> Iterator[CheckMessage]:
        reached: list[Endpoint] = []
        for replica in filter(None, [self.replica]):
            yield from self.reach(replica, reached)
        if reached and self.reached:
            with connected(self.reached[-1]) as primary, connected(reached[0]) as standby:
                yield from check_replica(primary, standby)

    def reach(self, endpoint: Endpoint, reached: list[Endpoint]) -> Iterator[CheckMessage]:
        if is_missing_file(endpoint):
            yield checks.Error(
                "The file does not exist yet.",
                hint="Run `python manage.py migrate`, or correct the path in DATABASE_URL.",
            )
            return
        started = time.perf_counter()
        try:
            with connected(endpoint) as connection:
                yield round_trip(connection, connecting=time.perf_counter() - started)
                reached.append(endpoint)
                if connection.vendor == "postgresql":
                    yield tls_of(endpoint, connection)
                    yield pooling_of(endpoint, connection)
                elif not settings.DEBUG:
                    yield checks.Warning(
                        "This is a SQLite file, which only one machine can use.",
                        hint="For production, set DATABASE_URL to the pooled URL of a PostgreSQL database.",
                    )
        except (DatabaseError, InterfaceError) as error:
            yield checks.Error(f"Cannot be used: {redacted(error)}", hint=hint_for(error))

    def compare(self) -> Iterator[CheckMessage]:
        """Branches of one Neon project differ only in the start time of their server."""
        if len(self.endpoints) < 2:
            if self.endpoints[0].treated_as_pooler:
                yield checks.Warning(
                    "Commands use the pooled URL, because there is no other.",
                    hint="Set DATABASE_URL_UNPOOLED to the direct URL: migrations need a session.",
                )
            return
        if len(self.reached) < 2:
            return
        places = []
        for endpoint in self.reached:
            with connected(endpoint) as connection:
                places.append(place_of(connection))
        if places[0] == places[1]:
            yield checks.Info("Both lead to the same database.")
        else:
            yield checks.Error(
                "DATABASE_URL and DATABASE_URL_UNPOOLED lead to different databases or servers.",
                hint="Copy both from the same database: commands use one and requests the other.",
            )

    def warn_if_unreachable(self) -> Iterator[CheckMessage]:
        if not self.reached:
            yield checks.Warning(
                "Migrations, timeouts and everything else in the database were not checked.",
                hint="Fix the connection, then run this again.",
            )

    def run_inside(
        self, check: Callable[[BaseDatabaseWrapper], Iterator[CheckMessage]]
    ) -> Iterator[CheckMessage]:
        """Through the URL that serves requests, if it can be reached."""
        for endpoint in self.reached[:1]:
            with connected(endpoint) as connection:
                if connection.vendor == "postgresql":
                    connection.set_autocommit(False)
                    with connection.cursor() as cursor:
                        cursor.execute("SET TRANSACTION READ ONLY")
                        cursor.execute("SET LOCAL statement_timeout = '5s'")
                    yield from check(connection)
                elif check is migrations:
                    yield from check(connection)

    def run_app_check(self, check: Check) -> Iterator[CheckMessage]:
        """Through Django's connection, which uses one of the URLs. Another check reports missing tables."""
        if len(self.reached) == len(self.endpoints):
            with suppress(DatabaseError):
                yield from check()


def hint_for(error: Exception) -> str:
    message = str(error)
    return next((hint for part, hint in HINTS.items() if part in message), UNREACHABLE)


def round_trip(connection: BaseDatabaseWrapper, *, connecting: float) -> CheckMessage:
    durations = []
    for _ in range(SAMPLES):
        started = time.perf_counter()
        query(connection, "SELECT 1")
        durations.append(time.perf_counter() - started)
    return judge_round_trip(statistics.median(durations), connecting=connecting)


def judge_round_trip(median: float, *, connecting: float) -> CheckMessage:
    summary = f"Reachable: {connecting * 1000:.0f} ms to connect, {median * 1000:.1f} ms for a round trip."
    if median < SLOW_ROUND_TRIP:
        return checks.Info(summary)
    hint = "Run the application in the database's region: a request makes several round trips."
    return checks.Warning(summary, hint=hint)


def tls_of(endpoint: Endpoint, connection: BaseDatabaseWrapper) -> CheckMessage:
    """From the client's side. Behind a pooler or a proxy, pg_stat_ssl describes only the last hop."""
    pgconn: Any = connection.connection.pgconn
    mode = str(endpoint.config["OPTIONS"]["sslmode"])
    return judge_tls(encrypted=bool(pgconn.ssl_in_use), mode=mode, local=database.is_local(endpoint.host))


def judge_tls(*, encrypted: bool, mode: str, local: bool) -> CheckMessage:
    if encrypted and mode == "verify-full":
        return checks.Info("TLS: encrypted, and the server's name is verified.")
    if local:
        return checks.Info("TLS: not needed for a local connection.")
    if not encrypted:
        return checks.Error(
            "TLS: the connection is not encrypted.", hint="Write sslmode=verify-full in the URL now."
        )
    return checks.Warning(
        f"TLS: encrypted, but sslmode={mode} does not verify the server's name.",
        hint="Write sslmode=verify-full in the URL; the CA bundle is included.",
    )


def pooling_of(endpoint: Endpoint, connection: BaseDatabaseWrapper) -> CheckMessage:
    """Two open connections share a server process only behind a transaction pooler."""
    with connected(endpoint) as another:
        mine, theirs = set(), set()
        for _ in range(SAMPLES):
            mine |= set(query(connection, "SELECT pg_backend_pid()"))
            theirs |= set(query(another, "SELECT pg_backend_pid()"))
    return judge_pooling(
        endpoint.variable,
        shared=bool(mine & theirs) or len(mine) > 1,
        expected=endpoint.treated_as_pooler,
        host=endpoint.host,
    )


def judge_pooling(variable: str, *, shared: bool, expected: bool, host: str) -> CheckMessage:
    if shared and expected:
        return checks.Info("Pooling: a pooler in transaction mode, and configured as one.")
    if shared and variable == "DATABASE_URL_UNPOOLED":
        return checks.Error(
            "Pooling: it leads through a pooler, so migrations have no session.",
            hint="Write the host and port of the server itself in DATABASE_URL_UNPOOLED.",
        )
    if shared:
        return checks.Error(
            "Pooling: it leads through a pooler, but is configured as a direct connection.",
            hint="Set DATABASE_POOLER=true; otherwise prepared statements and server-side cursors fail.",
        )
    if expected and database.is_pooled(host):
        return checks.Info(
            "Pooling: a pooler by its host name; the connections did not share a server process."
        )
    if expected:
        return checks.Warning(
            "Pooling: DATABASE_POOLER is true, but no pooler was detected.",
            hint="Remove DATABASE_POOLER if the URL is direct: queries are then planned only once.",
        )
    if variable == "DATABASE_URL" and host.endswith(".neon.tech"):
        return checks.Warning(
            "Pooling: DATABASE_URL is the direct URL.",
            hint="Use the URL whose host contains -pooler, and this one as DATABASE_URL_UNPOOLED.",
        )
    return checks.Info("Pooling: direct, each connection has its own session.")
