"""The doctor as a command: a deployment that is fine, how it ends, and what nothing may stop."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.support.doctor import NOWHERE, PASSWORD, PRODUCTION, Report, run
from tests.support.mail_server import MailServer
from tests.support.programs import require
from tests.support.run_app import MEMORY
from tests.support.servers.gunicorn import ROOT, environment
from tests.support.servers.redis import Redis, find_redis
from todo_project.operations.doctor import databases, findings

pytestmark = pytest.mark.own_servers


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    require(find_redis(), "no Redis: install Debian's redis-server")
    with Redis() as server:
        yield server


@pytest.fixture(scope="module")
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def fine(pooled: str, direct: str, redis: Redis, mail_server: MailServer) -> dict[str, str]:
    """The environment of a deployment with nothing to complain of."""
    return {
        "DATABASE_URL": pooled,
        "DATABASE_POOLER": "true",
        "DATABASE_URL_UNPOOLED": direct,
        "CACHE_URL": redis.url,
        "EMAIL_URL": mail_server.url,
        "EMAIL_FROM": "todo@example.com",
        "CORS_ALLOWED_ORIGINS": "https://app.example.com",
    }


def test_of_a_deployment_that_is_fine_it_says_so(fine):
    report = Report("--strict", **fine)

    assert report.complaints == {}
    assert report.code == 0
    assert "ok: Pooling: a pooler in transaction mode, and taken for one." in report.of("DATABASE_URL")
    assert "ok: Pooling: direct, each connection has a session of its own." in report.of(
        "DATABASE_URL_UNPOOLED"
    )
    assert report.of("both URLs") == ["ok: They lead to the same database."]
    assert report.of("migrations") == ["ok: All are applied."]
    assert report.of("timeouts") == [
        "ok: statement_timeout is 30 s.",
        "ok: lock_timeout is 10 s.",
        "ok: idle_in_transaction_session_timeout is 60 s.",
    ]
    assert report.of("mail") == ["ok: The mail server answers."]


def test_people_read_one_line_for_each_finding(fine):
    ended = run(**fine, WEB_THREADS="64")

    lines = ended.stdout.splitlines()
    assert ended.returncode == 0
    assert "ok       role: The role app is no superuser." in lines
    assert lines[-1].endswith("warning: 0, problem: 0")
    assert "\x1b" not in ended.stdout


def test_a_test_mail_is_sent_when_asked_for(fine, mail_server):
    report = Report("--send-test-mail", "ops@example.com", **fine)

    assert report.code == 0
    assert "To: ops@example.com\n" in mail_server.mails[-1].replace("\r\n", "\n")


def test_a_reader_that_has_read_enough_is_no_trouble():
    doctor = subprocess.Popen(
        [sys.executable, "manage.py", "doctor"],
        cwd=ROOT,
        env=environment(**PRODUCTION, DATABASE_URL=MEMORY),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert doctor.stdout is not None
    doctor.stdout.readline()
    doctor.stdout.close()
    _, complaint = doctor.communicate(timeout=60)

    assert complaint == ""
    assert doctor.returncode == 1


def test_help_tells_the_exit_codes():
    told = run("--help", DATABASE_URL=MEMORY).stdout

    assert "exit codes:" in told
    assert "3    warnings but no problem, with --strict" in told


def test_warnings_alone_fail_only_when_asked_to(fine):
    slightly_wrong = {**fine, "CACHE_URL": ""}

    assert Report(**slightly_wrong).code == 0
    assert Report("--strict", **slightly_wrong).code == 3


def test_a_wrong_argument_has_an_exit_code_of_its_own():
    ended = run("--send-test-mail", "nobody", DATABASE_URL=MEMORY)

    assert ended.returncode == 2
    assert "this is not an email address" in ended.stderr


def test_a_setting_that_stops_every_start_is_named():
    ended = run(DATABASE_URL=f"mysql://todo:{PASSWORD}@db/todo")

    assert ended.returncode == 1
    assert ended.stderr == "manage.py: DATABASE_URL must begin with postgresql:// or sqlite://.\n"


def test_with_the_database_down_all_else_is_still_checked():
    report = Report(DATABASE_URL=NOWHERE, DATABASE_URL_UNPOOLED=NOWHERE)

    assert report.code == 1
    for variable in ("DATABASE_URL", "DATABASE_URL_UNPOOLED"):
        [found] = report.of(variable)
        assert found.startswith("problem: It cannot be used: connection failed")
        assert found.endswith(databases.UNREACHABLE)
    assert report.of("migrations") == []
    assert report.of("database")[0].startswith("warning: Migrations, timeouts and all that")
    assert report.of("secrets") == ["ok: SECRET_KEY looks random."]


def test_a_server_that_says_nothing_holds_nothing_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://todo:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/todo?connect_timeout=2"
        report = Report(DATABASE_URL=url)

    assert report.of("DATABASE_URL")[0].startswith("problem: It cannot be used: connection")
    assert report.of("secrets") == ["ok: SECRET_KEY looks random."]


def test_a_check_that_hangs_is_given_up():
    over = threading.Event()

    def hang() -> Iterator[findings.Finding]:
        yield findings.ok("Until here.")
        over.wait()

    found = findings.findings_of(hang, within=0.05)
    over.set()

    assert [each.found for each in found] == ["Until here.", "No answer within 0.05 seconds."]


def test_a_check_that_fails_is_a_finding_and_tells_no_secret(settings):
    settings.DATABASE_URL = f"postgres://todo:{PASSWORD}@db/todo"

    def fail() -> Iterator[findings.Finding]:
        yield findings.ok("Until here.")
        raise RuntimeError(f"with {PASSWORD} it\nbroke")

    found = findings.findings_of(fail)

    assert [each.found for each in found] == [
        "Until here.",
        "The check itself failed (RuntimeError: with *** it broke).",
    ]
