"""The product under a gunicorn of its own, as in production."""

import contextlib
import http.client
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from .server import Server

ROOT = Path(__file__).parents[3]

HASTY = "--worker-class tests.support.servers.hasty_worker.HastyWorker"
"""Arguments of gunicorn for tests of a deadline that do not test its length."""

INHERITED = ("COVERAGE_DIRECTORY", "HOME", "PATH", "PYTHONPATH", "TMPDIR")
"""The variables that a server takes over from the process that runs the tests."""

DEFAULTS = {
    # What runs in processes of its own. To measure the rest, too, would take each of them a second.
    "COVERAGE_SOURCES": "tasks/ledger/replica.py,todo_project/config,todo_project/db/postgresql,"
    "todo_project/db/replica.py,todo_project/management,todo_project/operations,todo_project/server,"
    "todo_project/settings.py,todo_project/wsgi.py",
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "a key for tests only, which no deployment uses for its signatures",
    "ALLOWED_HOSTS": "127.0.0.1",
    "DEBUG": "false",
    "HTTPS_ONLY": "false",
    "RATE_LIMIT_ANONYMOUS": "off",
    "RATE_LIMIT_USER": "off",
    "WEB_CONCURRENCY": "1",
}


def environment(**changes: str | None) -> dict[str, str]:
    """DEFAULTS with changes; None removes a variable."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    variables = {**inherited, **DEFAULTS, **changes}
    return {name: value for name, value in variables.items() if value is not None}


def command(port: int) -> list[str]:
    """The command of Procfile, on a port of the tests' own."""
    config = "python:todo_project.server.gunicorn_conf"
    bind = f"127.0.0.1:{port}"
    # Not `python -m gunicorn`, which cannot start a second master at SIGUSR2.
    program = str(Path(sys.executable).with_name("gunicorn"))
    return [program, "todo_project.wsgi", "--config", config, "--bind", bind]


def manage(database_url: str, *arguments: str) -> str:
    """The output of a command. Its progress goes to the terminal."""
    program = [sys.executable, "manage.py", *arguments]
    variables = environment(DATABASE_URL=database_url, DEBUG="true")
    return subprocess.check_output(program, cwd=ROOT, env=variables, text=True)


class Gunicorn(Server):
    def __init__(self, *, settings: str = "todo_project.settings", **changes: str | None) -> None:
        self.environment = environment(DJANGO_SETTINGS_MODULE=settings, **changes)
        super().__init__()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pids(self) -> list[int]:
        """The master's process and then each worker's, including workers that have ended."""
        return [int(pid) for pid in re.findall(r"(?:Listening at: \S+ \(|worker with pid: )(\d+)", self.log)]

    def options(self) -> dict[str, Any]:
        # Unlike a database it runs as the user who owns the files that the tests wrote.
        return {"cwd": ROOT, "env": self.environment}

    def command(self) -> list[str | Path]:
        return [*command(self.port), "--pid", self.folder / "gunicorn.pid"]

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/healthz")
            return "worker with pid" in self.log and connection.getresponse().status == 200
        return False


class CopiedGunicorn(Gunicorn):
    """With a copy of the sources in its folder, for tests that change files."""

    def prepare(self) -> None:
        for package in ("accounts", "tasks", "todo_project"):
            shutil.copytree(ROOT / package, self.folder / package, ignore=shutil.ignore_patterns("tests"))
        shutil.copy(ROOT / "manage.py", self.folder)

    def options(self) -> dict[str, Any]:
        return super().options() | {"cwd": self.folder}
