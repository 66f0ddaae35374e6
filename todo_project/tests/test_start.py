"""How the server and commands start, report errors at the start, and end."""

import os
import re
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import pytest

from tests.support.processes import TIMEOUT, becomes_true, is_running
from tests.support.raw_http import HOST, ask, json_request, levels, receive, request
from tests.support.run_app import MEMORY, SERVED, run_program
from tests.support.servers.gunicorn import ROOT, CopiedGunicorn, Gunicorn, command

pytestmark = pytest.mark.own_servers

GUNICORN = command(1)
RECIPE = (ROOT / "Makefile").read_text().split("\nrun: ")[1].split("\n\n")[0]
CHECK = [sys.executable, "manage.py", "check"]
each_program = pytest.mark.parametrize("program", [GUNICORN, CHECK], ids=["gunicorn", "manage.py check"])


@each_program
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", None),
        ("DATABASE_URL", "mysql://todo:hunter2@db.example.com/todo"),
        ("ENV_FILE", "/no/such/file"),
    ],
)
def test_an_invalid_setting_prevents_the_start_with_one_line_that_names_it(program, name, value):
    ended = run_program(program, **{"DATABASE_URL": MEMORY, name: value})

    assert ended.returncode != 0
    [line] = (ended.stdout + ended.stderr).splitlines()
    assert name in line
    assert "hunter2" not in line


@each_program
def test_https_without_a_proxy_prevents_the_start(program):
    ended = run_program(program, DATABASE_URL=MEMORY, HTTPS_ONLY="true", TRUSTED_PROXY_COUNT="0")

    assert ended.returncode != 0
    [line] = (ended.stdout + ended.stderr).splitlines()
    assert "TRUSTED_PROXY_COUNT" in line


def test_valid_settings_pass_the_check():
    assert run_program(CHECK, DATABASE_URL=MEMORY).returncode == 0


def test_make_run_creates_staff_and_demo_users_at_the_first_start_only(tmp_path):
    machine = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "DEBUG": "true",
        "DJANGO_SUPERUSER_EMAIL": "staff@example.com",
        "DJANGO_SUPERUSER_PASSWORD": "hunter2",
    }
    query = """
from accounts.models import User
from tasks.models import Task
print(Task.objects.count(), *User.objects.values_list("is_staff", "password"))
"""

    def run():
        prepared = run_program([sys.executable, "manage.py", "prepare"], **machine)
        users = run_program([sys.executable, "manage.py", "shell", "-v0", "-c", query], **machine).stdout
        return prepared, users

    first, later = run(), run()

    assert "manage.py prepare\n" in RECIPE
    assert (first[0].returncode, later[0].returncode) == (0, 0)
    login = "Demo login:  tess.novak@example.com\n   password: demo-tasks-2468\n"
    assert login in first[0].stdout
    assert later[0].stdout == login
    assert first[1].startswith("200 ")
    assert (first[1].count("True"), first[1].count("False")) == (1, 5)
    assert later[1] == first[1]


def test_make_run_without_demo_data_says_how_to_add_it(tmp_path):
    prepared = run_program(
        [sys.executable, "manage.py", "prepare"],
        DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3", DEBUG="false",
    )  # fmt: skip

    assert prepared.stdout == "No users yet. To add demo data: .venv/bin/python manage.py seed\n"


class Development(CopiedGunicorn):
    """The server of `make run`."""

    def prepare(self):
        super().prepare()
        self.environment["PORT"] = str(self.port)

    def command(self):
        return [sys.executable, "-m", "todo_project.server.development"]

    def replace(self, path, old, new):
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new))

    @property
    def version(self):
        with suppress(OSError):
            return ask(self, request("GET /api/v1", alice=False)).json()["version"]
        return None


def test_make_run_restarts_the_server_after_a_change_even_one_that_breaks_it():
    with Development(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, DEBUG="true") as server:
        first = server.version
        server.replace("todo_project/__init__.py", first, "99.0")
        assert becomes_true(lambda: server.version == "99.0")
        server.replace("todo_project/pages.py", "class Docs(Page)", "class Docs(Pages)")
        assert becomes_true(lambda: "NameError" in server.log)
        server.replace("todo_project/pages.py", "class Docs(Pages)", "class Docs(Page)")
        assert becomes_true(lambda: server.version == "99.0")

    assert RECIPE.endswith("python -m todo_project.server.development")


def test_make_run_ends_if_the_server_cannot_start():
    ended = run_program([sys.executable, "-m", "todo_project.server.development"], SECRET_KEY=None)

    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith("Not started: SECRET_KEY is not set.")


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--help",
        "check",
        "createsuperuser --noinput",
        "diffsettings",
        "help",
        "help purge",
        "makemigrations --check",
        "migrate",
        "purge --dry-run",
        "runserver",
        "shell -c pass",
        "test",
        "unknown",
    ],
)
def test_every_command_names_a_missing_variable(arguments):
    ended = run_program([sys.executable, "manage.py", *arguments.split()], SECRET_KEY=None)

    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("manage.py: SECRET_KEY is not set.")


def test_a_port_in_use_prevents_the_start_with_one_line():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = run_program(command(port), DATABASE_URL=MEMORY)

    assert ended.returncode != 0
    [line] = ended.stderr.splitlines()
    assert f"port {port}" in line
    assert "ERROR" not in levels(ended.stdout)  # It did not retry.


def test_a_server_listens_only_at_its_port():
    with Gunicorn(DATABASE_URL=MEMORY) as server:
        sockets = [each for pid in server.pids for each in psutil.Process(pid).net_connections("all")]

        assert {each.laddr for each in sockets if each.laddr} == {("127.0.0.1", server.port)}


def test_a_running_request_is_finished_before_the_server_stops(sqlite_url):
    body = b'{"title": "at the last moment"}'
    with (
        Gunicorn(settings=SERVED, DATABASE_URL=sqlite_url, ALLOWED_HOSTS=HOST) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as client,
    ):
        client.sendall(json_request(body, "Expect: 100-continue").removesuffix(body))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"  # From now on the request is running.
        os.kill(server.pids[0], signal.SIGTERM)
        assert becomes_true(lambda: "Handling signal: term" in server.log)

        client.sendall(body)

        assert receive(client).status_code == 201


def test_a_killed_master_leaves_no_process_that_keeps_the_port(sqlite_url):
    with (
        Gunicorn(settings=SERVED, DATABASE_URL=sqlite_url, ALLOWED_HOSTS=HOST) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as client,
    ):
        client.sendall(json_request(b'{"title": "half"}')[:-1])  # Requests in progress have 30 seconds.
        assert server.process
        server.process.kill()
        killed = time.monotonic()

        assert becomes_true(lambda: port_is_free(server.port))
        assert time.monotonic() - killed < 15
        server.start()


def port_is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def test_a_second_master_takes_over_without_a_failed_or_slow_request():
    """The restart that docs/operations.md describes."""
    durations: list[float] = []
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            started = time.monotonic()
            assert ask(server, request("GET /healthz", "Connection: close")).status_code == 200
            durations.append(time.monotonic() - started)

    with Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, WEB_CONCURRENCY="2") as server:
        assert becomes_true(lambda: server.log.count("Worker ready") == 2)
        old = server.pids[0]
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(call) for _ in range(4)]
            os.kill(old, signal.SIGUSR2)
            assert becomes_true(lambda: server.log.count("Worker ready") == 4)
            os.kill(old, signal.SIGTERM)
            assert becomes_true(lambda: not is_running(old))
            over.set()
        new = server.pids[3]
        os.kill(new, signal.SIGTERM)
        assert becomes_true(lambda: not is_running(new))

    for each in calls:
        each.result()
    assert max(durations) < 10


def test_a_command_reports_missing_tables_without_a_traceback(tmp_path):
    for words in (["purge"], ["make_roles"], ["export_user", "ann@example.com"]):
        ended = run_program(
            [sys.executable, "manage.py", *words], DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3"
        )

        assert ended.returncode == 1
        assert "Traceback" not in ended.stderr
        assert "no such table" in ended.stderr


def test_a_command_whose_reader_is_gone_ends_without_a_traceback(sqlite_url):
    run = f"{sys.executable} manage.py make_roles | true; echo ${{PIPESTATUS[0]}}"
    ended = run_program(["bash", "-c", run], DATABASE_URL=sqlite_url)

    assert ended.stdout in {"0\n", "141\n"}  # It may have finished writing before.
    assert "Traceback" not in ended.stderr


def test_a_command_that_cannot_write_its_output_reports_it(sqlite_url):
    for words in ("make_roles", "purge", "seed --add"):
        ended = run_program(
            ["bash", "-c", f"{sys.executable} manage.py {words} > /dev/full"],
            DATABASE_URL=sqlite_url, DEBUG="true",
        )  # fmt: skip

        assert ended.returncode == 1
        assert ended.stderr.splitlines()[-1] == "manage.py: [Errno 28] No space left on device"
        assert "Traceback" not in ended.stderr


def test_a_command_with_closed_output_completes(sqlite_url):
    ended = run_program(["bash", "-c", f"{sys.executable} manage.py purge >&-"], DATABASE_URL=sqlite_url)

    assert ended.returncode == 0
    assert re.sub(r"^[a-z-]+: \d+ so far\n", "", ended.stderr, flags=re.MULTILINE) == ""
