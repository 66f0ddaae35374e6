"""manage.py doctor: a healthy deployment, exit codes, and isolation of the checks from each other."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from django.core import checks

from tests.support.commands import run as run_command
from tests.support.doctor import PASSWORD, PRODUCTION, UNREACHABLE, Report, run
from tests.support.mail_server import MailServer
from tests.support.processes import TIMEOUT
from tests.support.run_app import MEMORY
from tests.support.servers.gunicorn import ROOT, environment
from tests.support.servers.redis import Redis
from todo_project import __version__
from todo_project.management.commands import doctor
from todo_project.operations.doctor import databases
from todo_project.operations.doctor.runner import run_check

pytestmark = pytest.mark.own_servers


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture(scope="module")
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def healthy(pooled: str, direct: str, redis: Redis, mail_server: MailServer) -> dict[str, str]:
    """The environment of a deployment without findings."""
    return {
        "DATABASE_URL": pooled,
        "DATABASE_POOLER": "true",
        "DATABASE_URL_UNPOOLED": direct,
        "CACHE_URL": redis.url,
        "EMAIL_URL": mail_server.url,
        "EMAIL_FROM": "todo@example.com",
        "CORS_ALLOWED_ORIGINS": "https://app.example.com",
    }


def test_a_healthy_deployment_has_no_findings(healthy):
    report = Report("--strict", **healthy)

    assert report.complaints == {}
    assert report.code == 0
    assert "ok: Pooling: a pooler in transaction mode, and configured as one." in report.of("DATABASE_URL")
    assert "ok: Pooling: direct, each connection has its own session." in report.of("DATABASE_URL_UNPOOLED")
    assert report.of("both URLs") == ["ok: Both lead to the same database."]
    assert report.of("migrations") == ["ok: All are applied."]
    assert report.of("timeouts") == [
        "ok: statement_timeout is 30 s.",
        "ok: lock_timeout is 5 s.",
        "ok: idle_in_transaction_session_timeout is 60 s.",
    ]
    assert report.of("mail") == ["ok: The mail server accepts the login."]
    [versions] = report.of("versions")
    assert re.fullmatch(rf"ok: Todo API {__version__}, Django 5\.2\.\d+, Python 3\.\d+\.\d+\.", versions)


def test_the_text_output_has_one_line_per_finding(healthy):
    ended = run(**healthy, WEB_THREADS="64")

    lines = ended.stdout.splitlines()
    assert ended.returncode == 0
    assert "ok       role: The role app is not a superuser." in lines
    assert lines[-1].endswith("warning: 0, error: 0")
    assert "\x1b" not in ended.stdout


def test_the_option_sends_a_test_mail(healthy, mail_server):
    report = Report("--send-test-mail", "ops@example.com", **healthy)

    assert report.code == 0
    assert "To: ops@example.com\n" in mail_server.mails[-1].replace("\r\n", "\n")


def test_a_reader_that_has_closed_the_pipe_causes_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=ROOT,
        env=environment(**PRODUCTION, DATABASE_URL=MEMORY),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    os.close(writer)

    assert ended.stderr == ""
    assert ended.returncode == 128 + signal.SIGPIPE


def test_help_lists_the_exit_codes():
    text = run("--help", DATABASE_URL=MEMORY).stdout

    assert "exit codes:" in text
    assert "3    warnings but no errors, with --strict" in text


def test_warnings_fail_only_with_strict(healthy):
    no_cache = {**healthy, "CACHE_URL": ""}

    assert Report(**no_cache).code == 0
    assert Report("--strict", **no_cache).code == 3


def test_an_invalid_argument_has_its_own_exit_code():
    ended = run("--send-test-mail", "nobody", DATABASE_URL=MEMORY)

    assert ended.returncode == 2
    assert "this is not an email address" in ended.stderr


def test_a_setting_that_prevents_every_start_is_named():
    ended = run(DATABASE_URL=f"mysql://todo:{PASSWORD}@db/todo")

    assert ended.returncode == 1
    assert ended.stderr == "manage.py: DATABASE_URL must begin with postgresql:// or sqlite://.\n"


def test_everything_else_is_checked_while_the_database_is_down():
    report = Report(DATABASE_URL=UNREACHABLE, DATABASE_URL_UNPOOLED=UNREACHABLE)

    assert report.code == 1
    for variable in ("DATABASE_URL", "DATABASE_URL_UNPOOLED"):
        [finding] = report.of(variable)
        assert finding.startswith("error: Cannot be used: connection failed")
        assert finding.endswith(databases.UNREACHABLE)
    assert report.of("migrations") == []
    assert report.of("database")[0].startswith("warning: Migrations, timeouts and everything")
    assert report.of("secrets") == ["ok: SECRET_KEY looks random."]


def test_a_server_that_does_not_answer_delays_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://todo:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/todo?connect_timeout=2"
        report = Report(DATABASE_URL=url)

    assert report.of("DATABASE_URL")[0].startswith("error: Cannot be used: connection")
    assert report.of("secrets") == ["ok: SECRET_KEY looks random."]


def test_a_check_that_hangs_is_abandoned():
    test_is_over = threading.Event()

    def hang() -> Iterator[checks.CheckMessage]:
        yield checks.Info("Before.")
        test_is_over.wait()

    messages = run_check(hang, timeout=0.05)
    test_is_over.set()

    assert [message.msg for message in messages] == ["Before.", "No answer within 0.05 seconds."]


def test_djangos_own_checks_have_no_time_limit(monkeypatch):
    monkeypatch.setattr(doctor, "TIMEOUT", 0.001)
    monkeypatch.setattr(doctor, "all_checks", lambda **options: [("Django", doctor.environment.django)])

    assert "ok       Django: `check --deploy` has nothing to add.\n" in run_command("doctor")[0]


def test_an_exception_in_a_check_is_an_error_without_secrets(settings):
    settings.DATABASE_URL = f"postgres://todo:{PASSWORD}@db/todo"

    def fail() -> Iterator[checks.CheckMessage]:
        yield checks.Info("Before.")
        raise RuntimeError(f"with {PASSWORD} it\nbroke")

    messages = run_check(fail)

    assert [message.msg for message in messages] == [
        "Before.",
        "The check itself failed (RuntimeError: with *** it broke).",
    ]
