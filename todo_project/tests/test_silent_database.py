"""A database that accepts packets and never answers: every request gets 503 within ten seconds."""

import contextlib
import json
import os
import signal
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pytest

from tests.support.assertions import assert_error
from tests.support.processes import TIMEOUT, becomes_true
from tests.support.raw_http import HOST, VALID_REQUEST, Answer, ask, json_request, receive, request
from tests.support.run_app import SERVED
from tests.support.servers.black_hole import BlackHole
from tests.support.servers.gunicorn import HASTY, Gunicorn
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres
from todo_project.db.postgresql import connection as postgresql

READYZ = request("GET /readyz")

pytestmark = pytest.mark.own_servers


@dataclass
class Database:
    url: str
    pooler: bool
    fall_silent: Callable[[], None]
    respond: Callable[[], None]


@pytest.fixture(params=["a stopped server", "a stopped server behind a pooler", "a black hole"])
def database(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Database]:
    with contextlib.ExitStack() as stack:
        stack.callback(postgres.resume)
        if request.param == "a black hole":
            hole = stack.enter_context(BlackHole(postgres.url))
            switch = lambda is_open: lambda: setattr(hole, "is_open", is_open)  # noqa: E731
            yield Database(hole.url, False, switch(True), switch(False))
        elif request.param == "a stopped server":
            yield Database(postgres.url, False, postgres.suspend, postgres.resume)
        else:
            pooler = stack.enter_context(PgBouncer(postgres.url))
            yield Database(pooler.url, True, postgres.suspend, postgres.resume)


def test_every_request_to_a_silent_database_gets_503_within_ten_seconds(database):
    def write() -> bytes:
        return json_request(json.dumps({"title": uuid.uuid4().hex[:20]}))

    def timed(raw: bytes) -> tuple[float, Answer]:
        started = time.monotonic()
        answer = ask(server, raw)
        return time.monotonic() - started, answer

    def statuses() -> Counter[int]:
        with ThreadPoolExecutor(30) as pool:
            return Counter(answer.status_code for _, answer in pool.map(timed, [READYZ] * 60))

    with Gunicorn(
        settings=SERVED,
        DATABASE_URL=database.url,
        DATABASE_POOLER=str(database.pooler).lower(),
        ALLOWED_HOSTS=HOST,
        WEB_CONCURRENCY="2",
    ) as server:
        assert statuses() == {200: 60}  # Every thread has a connection now.

        database.fall_silent()
        with ThreadPoolExecutor(60) as pool:
            requests = [VALID_REQUEST, write(), write(), READYZ] * 15
            during = list(pool.map(timed, requests))
        seconds, alive = timed(request("GET /healthz"))
        database.respond()

        for _, answer in during:
            assert_error(answer, 503, "SERVICE_UNAVAILABLE")
            assert int(answer["Retry-After"] or 0) > 0
        assert max(taken for taken, _ in during) < 10
        assert alive.status_code == 200
        assert seconds < 9
        assert becomes_true(lambda: statuses() == {200: 60})


def test_a_request_is_served_though_it_waits_for_a_thread_longer_than_an_idle_connection_lives(postgres):
    with contextlib.ExitStack() as stack:
        stack.callback(postgres.resume)
        server = stack.enter_context(
            Gunicorn(
                settings=SERVED,
                DATABASE_URL=postgres.url,
                ALLOWED_HOSTS=HOST,
                WEB_THREADS="1",
                GUNICORN_CMD_ARGS=f"{HASTY} --keep-alive 1",
            )
        )
        first, second = (
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT))
            for _ in range(2)
        )
        for client in (first, second):
            client.sendall(READYZ)
            assert receive(client).status_code == 200

        postgres.suspend()
        started = time.monotonic()
        first.sendall(READYZ)
        second.sendall(request("GET /healthz"))

        assert receive(second).status_code == 200
        assert time.monotonic() - started > 2
        assert receive(first).status_code == 503


def test_a_pooler_survives_the_end_of_an_outage_in_which_it_was_told_to_cancel(postgres, monkeypatch):
    monkeypatch.setattr(postgresql.Connection, "outage", postgresql.Outage(retry_interval=0))
    monkeypatch.setattr(postgresql.Connection, "timeout", 0.1)
    with contextlib.ExitStack() as stack:
        stack.callback(postgres.resume)
        pooler = stack.enter_context(PgBouncer(postgres.url))
        with psycopg.connect(pooler.url) as first:
            first.execute("SELECT 1")  # From now on, the pooler has a connection to the server.

        postgres.suspend()
        for _ in range(2):
            connection = stack.enter_context(postgresql.Connection.connect(pooler.url))
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        postgres.resume()
        assert becomes_true(lambda: "successfully sent cancel request" in pooler.log)

        with psycopg.connect(pooler.url) as last:
            assert last.execute("SELECT 1").fetchone() == (1,)


def test_a_statement_that_takes_too_long_is_cancelled_and_gets_504(postgres):
    with Gunicorn(
        settings=SERVED, DATABASE_URL=postgres.url, ALLOWED_HOSTS=HOST, GUNICORN_CMD_ARGS=HASTY
    ) as server:
        started = time.monotonic()
        answer = ask(server, request("GET /api/v1/crash/slow", alice=False))

        assert_error(answer, 504, "QUERY_TIMEOUT")
        assert time.monotonic() - started < 30
        with psycopg.connect(postgres.url) as connection:
            query = "SELECT FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'"
            assert connection.execute(query).fetchall() == []


def test_a_request_that_runs_for_seconds_is_finished_before_the_server_stops(postgres):
    running = "SELECT FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'"
    with (
        Gunicorn(
            settings=SERVED, DATABASE_URL=postgres.url, ALLOWED_HOSTS=HOST, GUNICORN_CMD_ARGS=HASTY
        ) as server,
        psycopg.connect(postgres.url, autocommit=True) as operator,
        socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as client,
    ):
        client.sendall(request("GET /api/v1/crash/slow", alice=False))
        assert becomes_true(lambda: operator.execute(running).fetchall() != [])
        os.kill(server.pids[0], signal.SIGTERM)

        assert_error(receive(client), 504, "QUERY_TIMEOUT")
