"""The product under a gunicorn of its own, as in production: `Gunicorn`, for tests of the real server."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING or __package__:
    from .keeper import Kept, Server, keep
else:  # run as a script, with this folder as the first to import from
    from keeper import Kept, Server, keep

ROOT = Path(__file__).parents[3]

# All that a server takes over from whoever runs the tests.
INHERITED = ("HOME", "PATH", "PYTHONPATH", "TMPDIR")

DEFAULTS = {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "a key for tests only, which signs nothing that anybody else would take",
    "ALLOWED_HOSTS": "127.0.0.1",
    "DEBUG": "false",
    "HTTPS_ONLY": "false",
    "RATE_LIMIT_ANONYMOUS": "off",
    "RATE_LIMIT_USER": "off",
    "WEB_CONCURRENCY": "1",
}


class Gunicorn(Kept):
    """The product at `url`; its settings are DEFAULTS, with changes of which None takes one away."""

    def __init__(self, *, settings: str = "todo_project.settings", **changes: str | None) -> None:
        changes = {"DJANGO_SETTINGS_MODULE": settings, **changes}
        given = [f"{name}={value}" for name, value in environment(**changes).items()]
        super().__init__(__file__, *given)
        self.url, _, log = self.url.partition(" ")
        self._log = Path(log)

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def log(self) -> str:
        """All that it wrote so far."""
        return self._log.read_text()

    @property
    def pids(self) -> list[int]:
        """The master's process and then each worker's, of workers that have ended, too."""
        return [int(pid) for pid in re.findall(r"(?:Listening at: \S+ \(|worker with pid: )(\d+)", self.log)]


def environment(**changes: str | None) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    every = {**inherited, **DEFAULTS, **changes}
    return {name: value for name, value in every.items() if value is not None}


def command(port: int) -> list[str]:
    """What Procfile says, on a port of our own."""
    config = "python:todo_project.server.gunicorn_conf"
    bind = f"127.0.0.1:{port}"
    return [sys.executable, "-m", "gunicorn", "todo_project.wsgi", "--config", config, "--bind", bind]


class GunicornServer(Server):
    name = "gunicorn"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port} {self.log}"

    def command(self) -> list[str | Path]:
        return [*command(self.port)]

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/healthz")
            return b"worker with pid" in self.log.read_bytes() and connection.getresponse().status == 200
        return False

    def _launch(self) -> subprocess.Popen[bytes]:
        # Unlike a database it runs where the product is, and as whoever owns the files that the tests wrote.
        self._held, inherited = os.pipe()
        try:
            with self.log.open("wb") as log:
                return subprocess.Popen(
                    self.command(),
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[inherited],
                    start_new_session=True,
                )
        finally:
            os.close(inherited)


def main() -> None:
    os.environ.clear()
    for name, _, value in (given.partition("=") for given in sys.argv[1:]):
        os.environ[name] = value
    keep("gunicorn", GunicornServer)


if __name__ == "__main__":
    main()
