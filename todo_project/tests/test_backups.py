"""The commands of the deployment guide back up a server that runs, and restore it."""

import http.client
import json
import re
import shutil
import subprocess
import sys
from contextlib import closing

import pytest
from django.conf import settings

from tests.support.processes import TIMEOUT
from tests.support.programs import require
from tests.support.run_app import prepared_postgres, prepared_sqlite, run_program
from tests.support.servers.gunicorn import Gunicorn
from tests.support.servers.postgres import find_binaries

pytestmark = pytest.mark.own_servers

GUIDE = (settings.BASE_DIR / "docs" / "deployment.md").read_text()
ANN = {"email": "ann@example.com", "password": "a long enough passphrase"}


def commands(title):
    """The lines of the code block under this title."""
    [block] = re.findall(rf"\n### {title}\n(?:(?!\n#|```).)*```sh\n(.*?)```", GUIDE, re.DOTALL)
    return block.splitlines()


class Machine:
    """A server whose data and backups are in a folder of the test."""

    def __init__(self, url, folder):
        self.url, self.folder = url, folder
        self.server = Gunicorn(DATABASE_URL=url)

    def run(self, title):
        for line in commands(title):
            line = line.replace("/var/lib/todo", str(self.folder)).replace("/var/backups", str(self.folder))
            match line.split():
                case ["systemctl", "stop", "todo"]:
                    self.server.stop()
                case ["systemctl", "start", "todo"]:
                    self.server.start()
                case [".venv/bin/python", *arguments]:
                    ended = run_program([sys.executable, *arguments], DATABASE_URL=self.url)
                    assert ended.returncode == 0, ended.stderr
                case [program, *_]:
                    subprocess.run(
                        ["bash", "-c", line],
                        env={"PATH": f"{path_of(program)}:/usr/bin:/bin", "DATABASE_URL": self.url},
                        check=True,
                        timeout=TIMEOUT,
                    )

    def ask(self, method, path, body=None, token=None):
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {token}"} if token else {}
        )
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.port)) as connection:
            connection.request(method, f"/api/v1{path}", json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())


def path_of(program):
    """Programs of PostgreSQL beside the server, because an older pg_dump refuses a newer server."""
    found = shutil.which(program, path=find_binaries()) or shutil.which(program)
    require(found, f"no {program}: install Debian's sqlite3 and postgresql-client")
    return str(found).rpartition("/")[0]


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def database(request, tmp_path):
    if request.param == "SQLite":
        yield request.param, prepared_sqlite(tmp_path / "db.sqlite3")
    else:
        with prepared_postgres() as server:
            yield request.param, server.url


def test_a_restored_backup_has_the_data_of_its_time_and_clients_start_over(database, tmp_path):
    name, url = database
    machine = Machine(url, tmp_path)
    with machine.server:
        assert machine.ask("POST", "/auth/register", ANN)[0] == 201
        token = machine.ask("POST", "/auth/token", ANN)[1]["access"]
        machine.ask("POST", "/tasks", {"title": "before the backup"}, token)

        machine.run(f"Backing up {name}")
        machine.ask("POST", "/tasks", {"title": "after the backup"}, token)
        since = machine.ask("GET", "/sync", token=token)[1]["since"]
        machine.run(f"Restoring {name}")

        status, tasks = machine.ask("GET", "/tasks", token=token)
        assert (status, [task["title"] for task in tasks["results"]]) == (200, ["before the backup"])
        for title in ("after the restore", "and more"):  # The versions that `since` has seen, once more.
            assert machine.ask("POST", "/tasks", {"title": title}, token)[0] == 201
        status, error = machine.ask("GET", f"/sync?since={since}", token=token)
        assert (status, error["error"]["code"]) == (410, "RESYNC_REQUIRED")
