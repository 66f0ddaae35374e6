"""A throw-away PgBouncer in transaction mode: `PgBouncer` for the tests, or `python pgbouncer.py URL`."""

import argparse
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING or __package__:
    from .keeper import Kept, Server, ServerError, give, keep
else:  # run as a script, with this folder as the first to import from
    from keeper import Kept, Server, ServerError, give, keep

POOL_SIZE = 20

MISSING = "No PgBouncer was found: install the Debian package pgbouncer."

HELP = """\
Run a PgBouncer in transaction mode in front of a PostgreSQL, on a free port of 127.0.0.1, for as long as this
program runs. It prints the address for DATABASE_URL and, at Ctrl-D or Ctrl-C, stops the server and deletes
everything again. While it runs it obeys the lines stop, start and kill.
"""

# `auth_type = any` takes every client for the user that the connections to the server belong to.
# The defaults would be long for a test: 15 seconds between two tries to reach a server that was away, and
# two minutes until a client that gets no connection is told so.
CONFIGURATION = """\
[databases]
* = host={host} port={port} user={user}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
admin_users = {user}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 500
server_login_retry = 1
query_wait_timeout = 10
ignore_startup_parameters = extra_float_digits
"""


class PgBouncer(Kept):
    """A PgBouncer for tests, with `url` to reach through it the database of the given address."""

    def __init__(self, postgres_url: str, *, pool_size: int = POOL_SIZE) -> None:
        super().__init__(__file__, postgres_url, f"--pool-size={pool_size}")


def find_pgbouncer() -> Path | None:
    # Debian installs it where only root looks for programs.
    found = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    return Path(found) if found else None


class PgBouncerServer(Server):
    name = "PgBouncer"
    stop_signal = signal.SIGTERM  # at SIGINT it would wait for its clients

    def __init__(self, folder: Path, postgres_url: str, pool_size: int) -> None:
        super().__init__(folder)
        self.postgres = urlsplit(postgres_url)
        self.pool_size = pool_size
        program = find_pgbouncer()
        if program is None:
            raise ServerError(MISSING)
        self.program = program

    @property
    def url(self) -> str:
        return self.postgres._replace(netloc=f"{self.postgres.username}@127.0.0.1:{self.port}").geturl()

    def command(self) -> list[str | Path]:
        configuration = self.folder / "pgbouncer.ini"
        configuration.write_text(
            CONFIGURATION.format(
                host=self.postgres.hostname,
                port=self.postgres.port,
                user=self.postgres.username,
                own_port=self.port,
                pool_size=self.pool_size,
            )
        )
        give(configuration)
        return [self.program, configuration]

    def is_ready(self) -> bool:
        return b"process up" in self.log.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="the PostgreSQL behind it: postgres://user@host:port/database")
    parser.add_argument(
        "--pool-size",
        type=int,
        default=POOL_SIZE,
        help="connections to the PostgreSQL for each database and user (default: %(default)s)",
    )
    options = parser.parse_args()
    keep("pgbouncer", lambda folder: PgBouncerServer(folder, options.url, options.pool_size))


if __name__ == "__main__":
    main()
