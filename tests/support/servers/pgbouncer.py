"""A PgBouncer in transaction mode; `url` leads through it to a PostgreSQL."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.programs import require

from .server import Server, chown_to_server_user

# `auth_type = any` takes every client for the user of the connections to the server.
# The defaults are long for a test: 15 seconds between two tries to reach a server that was away, and two
# minutes until a client that gets no connection receives an error.
CONFIGURATION = """\
[databases]
* = host={postgres.hostname} port={postgres.port} user={postgres.username}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 500
server_login_retry = 1
query_wait_timeout = {query_wait_timeout}
ignore_startup_parameters = extra_float_digits
"""


def find_pgbouncer() -> str | None:
    # Debian installs it where only root looks for programs.
    return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


class PgBouncer(Server):
    def __init__(self, postgres_url: str, *, pool_size: int = 20, query_wait_timeout: int = 10) -> None:
        self.postgres = urlsplit(postgres_url)
        self.pool_size = pool_size
        self.query_wait_timeout = query_wait_timeout
        super().__init__()

    @property
    def url(self) -> str:
        return self.postgres._replace(netloc=f"{self.postgres.username}@127.0.0.1:{self.port}").geturl()

    @property
    def configuration(self) -> Path:
        return self.folder / "pgbouncer.ini"

    def prepare(self) -> None:
        require(find_pgbouncer(), "no PgBouncer: install Debian's pgbouncer")
        self.configuration.write_text(CONFIGURATION.format(**vars(self)))
        chown_to_server_user(self.configuration)

    def command(self) -> list[str | Path]:
        return [find_pgbouncer() or "pgbouncer", self.configuration]

    def is_ready(self) -> bool:
        return "process up" in self.log
