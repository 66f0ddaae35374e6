"""`migrate` runs once at a time, and says what to do if no connection is left."""

import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.support.run_app import run_program
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres

pytestmark = pytest.mark.own_servers

LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


def run(*arguments, **environment):
    return run_program([sys.executable, "manage.py", *arguments], **environment)


@pytest.fixture(scope="module")
def empty():
    with Postgres() as server:
        yield server


def test_of_two_migrations_at_once_one_waits(empty):
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda _: run("migrate", DATABASE_URL=empty.url), range(2)))

    assert [each.returncode for each in ended] == [0, 0], ended
    assert sorted("No migrations to apply." in each.stdout for each in ended) == [False, True]
    assert run("migrate", "--check", DATABASE_URL=empty.url).returncode == 0


@pytest.mark.parametrize("command", [["purge"], ["migrate", "--check"], ["make_roles"], ["doctor"]])
def test_a_command_without_a_free_connection_says_what_to_do(empty, command):
    with psycopg.connect(empty.url, autocommit=True) as operator:
        operator.execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 0")
        try:
            ended = run(*command, DATABASE_URL=empty.url.replace("todo@", "limited@"))
        finally:
            operator.execute("DROP ROLE limited")

    assert ended.returncode == 1
    assert "too many connections" in ended.stdout + ended.stderr
    assert "Lower WEB_CONCURRENCY or WEB_THREADS" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_command_without_a_free_connection_of_the_pooler_says_what_to_do(empty):
    with (
        PgBouncer(empty.url, pool_size=1, query_wait_timeout=1) as pooler,
        psycopg.connect(pooler.url) as other,
    ):
        other.execute("SELECT 1")  # In a transaction, which occupies the only connection.
        ended = run("purge", DATABASE_URL=pooler.url, DATABASE_POOLER="true")

    assert ended.returncode == 1
    assert "Lower WEB_CONCURRENCY or WEB_THREADS" in ended.stderr
