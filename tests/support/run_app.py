"""Prepare a database, and run the project's programs as subprocesses."""

import atexit
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from .processes import TIMEOUT
from .raw_http import ALICE, BOB, NOTE
from .servers.gunicorn import ROOT, environment
from .servers.postgres import CopiedPostgres, Postgres

SERVED = "tests.settings_with_notes"
MEMORY = "sqlite://:memory:"
ALICE_ID = "0191f3a8-0000-7000-8000-00000000a11c"

PREPARE = f"""
from django.core.management import call_command
from django.db import connection
from accounts.models import User
from tests.support.notes import Note
call_command("migrate", verbosity=0)
with connection.schema_editor() as editor:
    editor.create_model(Note)
alice = User.objects.create_user("{ALICE}", id="{ALICE_ID}")
User.objects.create_user("{BOB}")
Note.objects.create(id="{NOTE[-36:]}", owner=alice, title="the first")
"""


def prepare(url: str) -> str:
    """Create the tables, Alice and her note in an empty database; return its URL."""
    shell = [sys.executable, "manage.py", "shell", "-v0", "-c", PREPARE]
    ended = run_program(shell, DJANGO_SETTINGS_MODULE=SERVED, DATABASE_URL=url)
    assert ended.returncode == 0, ended.stderr
    return url


def prepared_postgres() -> Postgres:
    """A new server with a prepared database. To copy one is faster than to migrate."""
    return CopiedPostgres(_prepared_server())


@cache
def _prepared_server() -> Postgres:
    server = Postgres()
    atexit.register(server.close)
    prepare(server.url)
    server.stop()
    return server


def prepared_sqlite(path: Path) -> str:
    """The URL of a new file with a prepared database."""
    shutil.copy(_prepared_file(), path)
    return f"sqlite:///{path}"


@cache
def _prepared_file() -> Path:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = Path(folder.name, "db.sqlite3")
    prepare(f"sqlite:///{path}")
    return path


def run_program(arguments: list[str], **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run a program of the project to its end."""
    return subprocess.run(
        arguments,
        cwd=ROOT,
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
