"""The files for deployments work, as far as can be tried without Docker, and agree with the code."""

import contextlib
import http.client
import json
import re
import shlex
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from tests.support.assertions import assert_error
from tests.support.programs import require
from tests.support.raw_http import Answer, lines
from tests.support.run_app import MEMORY, run_program
from tests.support.servers.gunicorn import Gunicorn
from tests.support.servers.nginx import Nginx
from tests.support.servers.postgres import Postgres
from todo_project.config import database, env

ROOT: Path = settings.BASE_DIR
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
PROCESSES = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())


def instructions(name):
    """The arguments of each such instruction of the Dockerfile."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.split(None, 1)[1] for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_hadolint_accepts_the_dockerfile():
    program = Path(sys.executable).with_name("hadolint")
    require(program.exists(), "no hadolint: there is a package for Linux on x86_64 only")

    ended = subprocess.run(
        [program, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stdout) == (0, "")


def test_the_dockerfile_copies_the_packages_and_their_requirements():
    sources = {source for line in instructions("COPY") for source in line.split()[:-1]}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    assert sources == {"requirements*.txt", "manage.py", "todo_project", "accounts", "tasks", "docs"}
    assert {line[1:] for line in ignored if line.startswith("!")} == sources
    assert all([*ROOT.glob(source)] for source in sources)


def test_the_container_runs_the_web_process_of_the_procfile_as_an_ordinary_user():
    [command] = instructions("CMD")

    assert command == f'["sh", "-c", "exec {PROCESSES["web"]}"]'
    assert instructions("USER") == ["10001"]


@pytest.mark.own_servers
def test_the_health_check_of_the_container_passes_only_while_the_server_responds():
    [check] = instructions("HEALTHCHECK")
    [_, code] = re.findall(r'"((?:[^"\\]|\\.)*)"', check.split("CMD")[1])[1:]
    code = code.replace('\\"', '"')

    with Gunicorn(DATABASE_URL=MEMORY) as server:
        healthy = run_program([sys.executable, "-c", code], PORT=str(server.port))
        server.stop()
        stopped = run_program([sys.executable, "-c", code], PORT=str(server.port))

    assert (healthy.returncode, stopped.returncode) == (0, 1)


def test_compose_sets_variables_that_are_read_and_mounts_files_that_exist():
    for name in ("release", "web"):
        variables = COMPOSE["services"][name]["environment"]
        assert variables.keys() <= env.NAMES_READ
        config = database.configure(variables["DATABASE_URL"], base_dir=ROOT, variable="DATABASE_URL")
        assert (config["NAME"], config["USER"]) == ("todo", "todo")
        assert f"socket:{config['OPTIONS']['host']}" in COMPOSE["services"]["database"]["volumes"]
    [script] = [volume for volume in COMPOSE["services"]["database"]["volumes"] if volume.startswith("./")]
    assert (ROOT / script.split(":")[0]).is_file()


def test_compose_runs_the_release_process_of_the_procfile_before_the_server():
    release, web = COMPOSE["services"]["release"], COMPOSE["services"]["web"]

    assert shlex.split(release["command"]) == ["sh", "-c", PROCESSES["release"]]
    assert release["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert web["depends_on"] == {"release": {"condition": "service_completed_successfully"}}
    assert "command" not in web


@pytest.mark.own_servers
def test_the_sql_script_makes_a_role_and_a_database_that_the_doctor_accepts():
    with Postgres() as server:
        # The superuser and the database of the tests already have the names in the script.
        script = (DEPLOY / "postgresql.sql").read_text().replace("ROLE todo", "ROLE app")
        script = script.replace("DATABASE todo OWNER todo", "DATABASE app OWNER app")
        with psycopg.connect(server.url, dbname="postgres", autocommit=True) as connection:
            for statement in re.findall(r"^[A-Z].*?;$", script, re.MULTILINE):
                connection.execute(statement)
        url = server.url.replace("todo@", "app@").replace("/todo", "/app")
        migrated = run_program([sys.executable, "manage.py", "migrate", "-v0"], DATABASE_URL=url)
        doctor = run_program([sys.executable, "manage.py", "doctor"], DATABASE_URL=url).stdout

    assert migrated.returncode == 0, migrated.stderr
    for name in ("migrations", "timeouts", "role", "extensions", "server"):
        assert re.findall(rf"^(\w+) +{name}: ", doctor, re.MULTILINE)
        assert set(re.findall(rf"^(\w+) +{name}: ", doctor, re.MULTILINE)) == {"ok"}, doctor


def test_systemd_accepts_the_unit(tmp_path):
    require(shutil.which("systemd-analyze"), "no systemd-analyze: install Debian's systemd")
    text = (DEPLOY / "todo.service").read_text()
    unit = tmp_path / "todo.service"
    unit.write_text(text.replace("/opt/todo/.venv/bin/gunicorn", "/bin/true").replace("/opt/todo", "/"))

    ended = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    [command] = re.findall(r"^ExecStart=/opt/todo/.venv/bin/(.+)$", text, re.MULTILINE)
    assert PROCESSES["web"].startswith(command)


def test_cron_runs_commands_that_exist():
    entries = [
        line.split(None, 6) for line in (DEPLOY / "cron").read_text().splitlines() if re.match(r"[\d*]", line)
    ]

    for minute, hour, day, month, weekday, user, command in entries:
        assert int(minute) < 60
        assert int(hour) < 24
        assert (day, month, weekday, user) == ("*", "*", "*", "todo")
        assert command.startswith("cd /opt/todo && .venv/bin/python manage.py ")
        assert "%" not in command, "cron takes it for a line break"
    names = [re.findall(r"manage\.py (\w+)", command) for *_, command in entries]
    assert names == [["purge"], ["doctor"]]
    assert get_commands().keys() > {name for [name] in names}


@pytest.fixture(scope="module")
def behind_nginx():
    """gunicorn with the settings for nginx, and nginx itself."""
    with (
        Gunicorn(
            DATABASE_URL=MEMORY,
            ALLOWED_HOSTS="api.example.com",
            HTTPS_ONLY="true",
            TRUSTED_PROXY_COUNT="1",
            TRUSTED_PROXIES="127.0.0.1",
        ) as server,
        Nginx(server.port) as nginx,
    ):
        yield server, nginx


def ask(nginx, method, path, *, tls=True, body=None, **headers):
    port = nginx.port if tls else nginx.http_port
    context = ssl._create_unverified_context()  # The certificate is for localhost.
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, context=context)
        if tls
        else http.client.HTTPConnection("127.0.0.1", port)
    )
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers={"Host": "api.example.com", **headers})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


@pytest.mark.own_servers
def test_nginx_forwards_https_with_the_clients_address(behind_nginx):
    server, nginx = behind_nginx

    answer = ask(nginx, "GET", "/docs", **{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"})

    assert answer.status_code == 200
    assert answer["Strict-Transport-Security"]
    [line] = [line for line in lines(server.log) if line["request_id"] == answer["X-Request-ID"]]
    assert line["client"] == "127.0.0.1"  # Not the one that the client invented.


@pytest.mark.own_servers
def test_nginx_redirects_http_to_https(behind_nginx):
    _, nginx = behind_nginx

    answer = ask(nginx, "POST", "/api/v1/auth/token?a=b", tls=False)

    assert answer.status_code == 308
    assert answer["Location"] == "https://api.example.com/api/v1/auth/token?a=b"


@pytest.mark.own_servers
@pytest.mark.parametrize("megabytes", [4.5, 6])
def test_a_body_that_is_too_large_gets_the_same_error_from_both_servers(behind_nginx, megabytes):
    _, nginx = behind_nginx
    body = b" " * int(megabytes * 1024 * 1024)

    answer = ask(nginx, "POST", "/api/v1/auth/token", body=body, **{"Content-Type": "application/json"})

    assert_error(answer, 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.own_servers
def test_nginx_answers_for_a_server_that_is_down_in_the_format_of_the_api():
    with Gunicorn(DATABASE_URL=MEMORY) as server, Nginx(server.port) as nginx:
        server.stop()
        answer = ask(nginx, "GET", "/api/v1/tasks")

    assert_error(answer, 503, "SERVICE_UNAVAILABLE")
    assert answer["Retry-After"] == "5"


class Container(Gunicorn):
    """What the Dockerfile copies, in a folder, with the packages of this environment."""

    @property
    def app(self):
        return self.folder / "app"

    def prepare(self):
        self.app.mkdir()
        for *sources, _ in (line.split() for line in instructions("COPY")):
            for source in (path for pattern in sources for path in ROOT.glob(pattern)):
                if source.is_dir():
                    ignored = shutil.ignore_patterns("tests", "__pycache__")
                    shutil.copytree(source, self.app / source.name, ignore=ignored)
                else:
                    shutil.copy(source, self.app)
        [collect] = [line for line in instructions("RUN") if "collectstatic" in line]
        self.run("sh", "-c", collect)

    def options(self):
        path = f"{Path(sys.executable).parent}:{self.environment['PATH']}"
        return {"cwd": self.app, "env": {**self.environment, "PORT": str(self.port), "PATH": path}}

    def command(self):
        return json.loads(instructions("CMD")[0])

    def ask(self, path):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())


@pytest.mark.own_servers
def test_what_the_image_contains_serves_the_api_the_guides_and_compressed_static_files():
    with Container(DATABASE_URL=MEMORY) as server:
        paths = ("/api/v1", "/docs", "/docs/signing-in.md", "/admin/login/")
        answers = {path: server.ask(path) for path in paths}
        page = answers["/admin/login/"].content.decode()
        [style] = re.findall(r'href="(/static/admin/css/base\.\w+\.css)"', page)
        cached = server.ask(style)["Cache-Control"]

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert "max-age=31" in cached
