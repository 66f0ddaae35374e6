"""What is asked of the databases: each URL for itself, then what lies behind them."""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db.backends.base.base import BaseDatabaseWrapper

from todo_project.config import database

from .endpoints import Endpoint, ask, connected, endpoints, is_missing_file
from .findings import Check, Finding, ok, problem, said, warning
from .inside import LOOKS, migrations

SLOW_ROUND_TRIP = 0.03
TRIES = 5

ADVICE = {
    "authentication failed": "Copy the URL anew from the database's console; a special character in its "
    "password must be percent-encoded.",
    "does not exist": "Correct the name of the role or the database in the URL.",
    "certificate": "Write the host by the name that the server's certificate is for; leave sslrootcert out, "
    "unless the server has an authority of its own.",
    "SSL": "See that the server offers TLS, or whether the URL leads to another server than you think.",
    "resolve": "Correct the host in the URL.",
    "translate host name": "Correct the host in the URL.",
    "too many": "Lower WEB_CONCURRENCY or WEB_THREADS, or use the pooled URL.",
}
UNREACHABLE = (
    "See that the host and the port are right, that the database runs, and that it lets this machine in."
)


class Databases:
    """Checks that share what the first of them learn: which URL leads to a database."""

    def __init__(self) -> None:
        self.endpoints = endpoints()
        self.reached: list[Endpoint] = []

    def checks(self) -> Iterator[tuple[str, Check]]:
        for endpoint in self.endpoints:
            yield endpoint.variable, partial(self.reach, endpoint)
        yield "both URLs", self.compare
        yield "database", self.require_one
        for name, look in LOOKS.items():
            yield name, partial(self.look_inside, look)

    def reach(self, endpoint: Endpoint) -> Iterator[Finding]:
        if is_missing_file(endpoint):
            yield problem(
                "There is no such file yet.",
                "Run `python manage.py migrate`, or correct the path in DATABASE_URL.",
            )
            return
        started = time.perf_counter()
        try:
            with connected(endpoint) as connection:
                yield round_trip(connection, connecting=time.perf_counter() - started)
                self.reached.append(endpoint)
                if connection.vendor == "postgresql":
                    yield tls_of(endpoint, connection)
                    yield pooling_of(endpoint, connection)
                elif not settings.DEBUG:
                    yield warning(
                        "It is a SQLite file, which serves one machine.",
                        "For more than a trial set DATABASE_URL to the pooled URL of a PostgreSQL.",
                    )
        except (DatabaseError, InterfaceError) as error:
            yield problem(f"It cannot be used: {said(error)}", advice_on(error))

    def compare(self) -> Iterator[Finding]:
        """Branches of one Neon project are alike in all but when their server was started."""
        if len(self.endpoints) < 2:
            if self.endpoints[0].taken_for_pooler:
                yield warning(
                    "Commands use the pooled URL too, as there is no other.",
                    "Set DATABASE_URL_UNPOOLED to the direct URL: migrations need a session of their own.",
                )
            return
        if len(self.reached) < 2:
            return
        places = []
        for endpoint in self.reached:
            with connected(endpoint) as connection:
                places.append(place_of(connection))
        if places[0] == places[1]:
            yield ok("They lead to the same database.")
        else:
            yield problem(
                "DATABASE_URL and DATABASE_URL_UNPOOLED lead to different databases or servers.",
                "Copy both from the same branch and database: commands change one, requests use the other.",
            )

    def require_one(self) -> Iterator[Finding]:
        if not self.reached:
            yield warning(
                "Migrations, timeouts and all that lies in the database were not looked at.",
                "Mend the connection first, then run this again.",
            )

    def look_inside(self, look: Callable[[BaseDatabaseWrapper], Iterator[Finding]]) -> Iterator[Finding]:
        """By the URL that serves requests, if it can be had."""
        for endpoint in self.reached[:1]:
            with connected(endpoint) as connection:
                if connection.vendor == "postgresql":
                    connection.set_autocommit(False)
                    with connection.cursor() as cursor:
                        cursor.execute("SET TRANSACTION READ ONLY")
                        cursor.execute("SET LOCAL statement_timeout = '5s'")
                    yield from look(connection)
                elif look is migrations:
                    yield from look(connection)


def place_of(connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
    if connection.vendor != "postgresql":
        return (connection.settings_dict["NAME"],)
    [place] = ask(
        connection,
        "SELECT oid, datname, pg_postmaster_start_time() FROM pg_database WHERE datname = current_database()",
    )
    return place


def advice_on(error: Exception) -> str:
    words = str(error)
    return next((advice for known, advice in ADVICE.items() if known in words), UNREACHABLE)


def round_trip(connection: BaseDatabaseWrapper, *, connecting: float) -> Finding:
    took = []
    for _ in range(TRIES):
        started = time.perf_counter()
        ask(connection, "SELECT 1")
        took.append(time.perf_counter() - started)
    median = statistics.median(took)
    found = f"It answers: {connecting * 1000:.0f} ms to connect, {median * 1000:.1f} ms for a round trip."
    if median < SLOW_ROUND_TRIP:
        return ok(found)
    return warning(found, "Run the application in the database's region: every request makes several.")


def tls_of(endpoint: Endpoint, connection: BaseDatabaseWrapper) -> Finding:
    """As this end sees it. pg_stat_ssl tells of the last stretch only, behind a pooler or a proxy."""
    pgconn: Any = connection.connection.pgconn
    mode = str(endpoint.config["OPTIONS"]["sslmode"])
    return judge_tls(encrypted=bool(pgconn.ssl_in_use), mode=mode, local=database.is_local(endpoint.host))


def judge_tls(*, encrypted: bool, mode: str, local: bool) -> Finding:
    if encrypted and mode == "verify-full":
        return ok("TLS: encrypted, and the server has proven its name.")
    if local:
        return ok("TLS: not needed on this machine.")
    if not encrypted:
        return problem(
            "TLS: the connection is not encrypted.", "Write sslmode=verify-full in the URL, at once."
        )
    return warning(
        f"TLS: encrypted, but sslmode={mode} does not prove that it is the right server.",
        "Write sslmode=verify-full in the URL; the bundle to verify with is brought along.",
    )


def pooling_of(endpoint: Endpoint, connection: BaseDatabaseWrapper) -> Finding:
    """Two connections that are open at once share a server process only where a pooler lends it in turn."""
    with connected(endpoint) as another:
        mine, theirs = set(), set()
        for _ in range(TRIES):
            mine |= set(ask(connection, "SELECT pg_backend_pid()"))
            theirs |= set(ask(another, "SELECT pg_backend_pid()"))
    return judge_pooling(
        endpoint.variable,
        shared=bool(mine & theirs) or len(mine) > 1,
        expected=endpoint.taken_for_pooler,
        host=endpoint.host,
    )


def judge_pooling(variable: str, *, shared: bool, expected: bool, host: str) -> Finding:
    if shared and expected:
        return ok("Pooling: a pooler in transaction mode, and taken for one.")
    if shared and variable == "DATABASE_URL_UNPOOLED":
        return problem(
            "Pooling: it leads through a pooler, which takes sessions from under migrations.",
            "Write the server's own host and port in DATABASE_URL_UNPOOLED.",
        )
    if shared:
        return problem(
            "Pooling: it leads through a pooler that is not taken for one.",
            "Set DATABASE_POOLER=true, or prepared statements and server-side cursors will fail.",
        )
    if expected and database.is_pooled(host):
        return ok("Pooling: a pooler by its name; nothing else shows it just now.")
    if expected:
        return warning(
            "Pooling: no pooler showed itself, though DATABASE_POOLER says there is one.",
            "Leave DATABASE_POOLER out if the URL is direct: requests are then planned once and cost less.",
        )
    if variable == "DATABASE_URL" and host.endswith(".neon.tech"):
        return warning(
            "Pooling: DATABASE_URL is the direct URL.",
            "Use the one whose host contains -pooler, and the direct one as DATABASE_URL_UNPOOLED.",
        )
    return ok("Pooling: direct, each connection has a session of its own.")
