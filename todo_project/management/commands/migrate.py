import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from todo_project.operations.commands import OperatorCommand

LOCK = 7_305_261_104
"""An arbitrary number that no other user of advisory locks in this database has."""

RETRY_INTERVAL = 0.5
"""Seconds. Waiting inside PostgreSQL would hold a snapshot, for which CREATE INDEX CONCURRENTLY waits."""


class Command(OperatorCommand, migrate.Command):
    help = """\
Apply migrations, one command at a time. A second one waits for the first, unless it uses a pooler, which has
no sessions that could hold a lock. Otherwise this is Django's command.
"""
    examples = """\
examples:
  manage.py migrate --noinput
  manage.py migrate --check     exit with 1 if a migration is not applied

exit codes: 0 success; 1 error; 130 interrupted
"""

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check_unapplied"] or options["plan"]:
            super().handle(*args, **options)
            return
        with self.lock(connections[options["database"]]):
            self.state_after_failure = "Migrations listed above with OK are applied."
            super().handle(*args, **options)

    @contextmanager
    def lock(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        if connection.vendor != "postgresql" or connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:
            yield
            return
        # The lock has a connection of its own, because a migration may lose or close its connection.
        session = connection.copy()
        try:
            with session.cursor() as cursor:
                waiting = False
                while not self.acquire(cursor):
                    if not waiting:
                        self.stderr.write("Waiting for another migrate …")
                    waiting = True
                    time.sleep(RETRY_INTERVAL)
            yield
        finally:
            session.close()

    @staticmethod
    def acquire(cursor: Any) -> bool:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])
