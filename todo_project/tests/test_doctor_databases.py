"""The doctor checks real databases and poolers, healthy and broken ones."""

from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core import checks

from tests.support.certificates import CERTIFICATE, KEY, write_certificate
from tests.support.doctor import PASSWORD, UNREACHABLE, Report, execute, with_user
from tests.support.processes import becomes_true
from tests.support.programs import require
from tests.support.servers.postgres import Postgres
from tests.support.servers.server import chown_to_server_user
from todo_project.config import database
from todo_project.operations.doctor import databases
from todo_project.operations.doctor import postgres as postgres_checks
from todo_project.operations.doctor.endpoints import query

pytestmark = pytest.mark.own_servers


def test_a_wrong_role_is_reported_with_a_hint(direct):
    report = Report(DATABASE_URL=with_user(direct, "nobody-knows"))

    assert "Correct the name of the role or the database in the URL." in report.of("DATABASE_URL")[0]


def test_only_the_url_that_is_down_is_an_error(direct):
    report = Report(DATABASE_URL=UNREACHABLE, DATABASE_URL_UNPOOLED=direct)

    assert report.of("DATABASE_URL")[0].startswith("error")
    assert report.of("DATABASE_URL_UNPOOLED")[0].startswith("ok: Reachable")
    assert report.of("migrations") == ["ok: All are applied."]


def test_an_empty_database_needs_migrations(direct):
    report = Report(DATABASE_URL=with_user(direct, "todo", database="empty"))

    assert report.code == 1
    [pending] = report.of("migrations")
    assert "are not applied; the first is accounts.0001_initial." in pending
    assert "Run `python manage.py migrate --noinput` before this code serves requests." in pending
    assert report.of("extensions")[0].startswith("error: pg_trgm and btree_gin are not installed.")


def test_an_unknown_migration_is_a_warning(postgres, direct):
    execute(
        postgres.url,
        "INSERT INTO django_migrations (app, name, applied) VALUES ('tasks', '9999_later', now())",
    )
    try:
        report = Report(DATABASE_URL=direct)
    finally:
        execute(postgres.url, "DELETE FROM django_migrations WHERE name = '9999_later'")

    assert report.of("migrations")[1].startswith("warning: 1 are applied that this code does not have")


@pytest.mark.parametrize(
    ("url", "pooler", "unpooled", "check", "finding"),
    [
        ("direct", "", "empty", "both URLs", "DATABASE_URL and DATABASE_URL_UNPOOLED lead to different"),
        ("pooled", "", "direct", "DATABASE_URL", "Set DATABASE_POOLER=true"),
        ("pooled", "true", "pooled", "DATABASE_URL_UNPOOLED", "Pooling: it leads through a pooler, so"),
    ],
    ids=["different databases", "pooler configured as direct", "direct URL through a pooler"],
)
def test_urls_that_lead_elsewhere_are_an_error(direct, pooled, url, pooler, unpooled, check, finding):
    urls = {"direct": direct, "pooled": pooled, "empty": with_user(direct, "app", database="empty")}
    report = Report(DATABASE_URL=urls[url], DATABASE_POOLER=pooler, DATABASE_URL_UNPOOLED=urls[unpooled])

    assert report.code == 1
    assert report.of(check)[-1].startswith("error: ")
    assert finding in report.of(check)[-1]


def test_a_direct_url_that_is_configured_as_a_pooler_is_a_warning(direct):
    report = Report(DATABASE_URL=direct, DATABASE_POOLER="true")

    assert report.of("DATABASE_URL")[-1].startswith(
        "warning: Pooling: DATABASE_POOLER is true, but no pooler was detected"
    )
    assert report.of("both URLs")[0].startswith("warning: Commands use the pooled URL,")


@pytest.mark.parametrize(
    ("host", "level", "hint"),
    [
        ("ep-a-1.eu-central-1.aws.neon.tech", checks.WARNING, "whose host contains -pooler"),
        ("db.example.com", checks.INFO, ""),
    ],
)
def test_neons_direct_url_is_a_warning_for_requests(host, level, hint):
    message = databases.judge_pooling("DATABASE_URL", shared=False, expected=False, host=host)

    assert message.level == level
    assert hint in (message.hint or "")


def test_a_role_without_timeouts_is_a_warning_with_the_statements_to_set_them(postgres):
    report = Report(DATABASE_URL=postgres.url)

    assert report.of("timeouts")[:3] == [
        "warning: statement_timeout is off for the role todo. "
        "Run once: ALTER ROLE todo SET statement_timeout = '30s';",
        "warning: lock_timeout is off for the role todo. Run once: ALTER ROLE todo SET lock_timeout = '5s';",
        "warning: idle_in_transaction_session_timeout is off for the role todo. "
        "Run once: ALTER ROLE todo SET idle_in_transaction_session_timeout = '60s';",
    ]
    assert report.of("role")[0].startswith("warning: The role todo is a superuser.")


def test_a_read_only_database_is_an_error(postgres, direct):
    execute(postgres.url, "ALTER ROLE app SET default_transaction_read_only = on")
    try:
        report = Report(DATABASE_URL=direct)
    finally:
        execute(postgres.url, "ALTER ROLE app RESET default_transaction_read_only")

    assert report.of("server")[-1].startswith("error: The database rejects writes")


@pytest.mark.parametrize(
    ("number", "is_replica", "is_read_only", "levels"),
    [
        (14, False, False, [checks.WARNING]),
        (15, False, False, [checks.INFO]),
        (18, False, False, [checks.INFO]),
        (19, False, False, [checks.WARNING]),
        (18, True, False, [checks.INFO, checks.ERROR]),
        (18, False, True, [checks.INFO, checks.ERROR]),
    ],
)
def test_a_server_is_judged_by_its_version_and_whether_it_accepts_writes(
    number, is_replica, is_read_only, levels
):
    messages = postgres_checks.judge_server(f"{number}.1", number, is_replica, is_read_only)

    assert [message.level for message in messages] == levels


@pytest.mark.parametrize(("seconds", "level"), [(0.029, checks.INFO), (0.031, checks.WARNING)])
def test_a_round_trip_of_more_than_30_milliseconds_is_a_warning(seconds, level):
    assert databases.judge_round_trip(seconds, connecting=0.1).level == level


def test_checks_cannot_write_and_have_five_seconds_for_each_query(direct, settings, django_db_blocker):
    config = database.configure(direct, base_dir=settings.BASE_DIR, variable="DATABASE_URL")
    settings.DATABASE_ENDPOINTS = {"pooled": config}
    both = databases.Databases()
    both.reached = both.endpoints

    def show(connection):
        yield from query(connection, "SHOW transaction_read_only")
        yield from query(connection, "SHOW statement_timeout")

    with django_db_blocker.unblock():
        assert list(both.run_inside(show)) == [("on",), ("5s",)]


def test_an_invalid_index_is_an_error(postgres, direct):
    execute(postgres.url, "CREATE TABLE doubled AS SELECT 1 AS n FROM generate_series(1, 2)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute(postgres.url, "CREATE UNIQUE INDEX CONCURRENTLY incomplete ON doubled (n)")
    try:
        report = Report(DATABASE_URL=direct)
    finally:
        execute(postgres.url, "DROP TABLE doubled")

    [finding] = report.of("indexes")
    assert finding.startswith("error: The index incomplete is invalid")
    assert "DROP INDEX CONCURRENTLY incomplete;" in finding


def test_the_connections_of_all_hosts_are_compared_with_those_of_the_server(direct):
    threads = {"DATABASE_URL": direct, "WEB_CONCURRENCY": "12", "WEB_THREADS": "8"}

    [enough] = Report("--hosts", "2", **threads).of("connections")
    [too_many] = Report("--hosts", "3", **threads).of("connections")

    assert enough == (
        "ok: 2 hosts × 12 processes × 8 threads + 4 for commands = 196 connections; the server allows 197."
    )
    assert too_many.startswith(
        "error: 3 hosts × 12 processes × 8 threads + 4 for commands = 292 connections; the server allows 197."
    )


@pytest.mark.parametrize(
    ("skew", "round_trip", "level", "text"),
    [
        (0.4, 0.001, checks.INFO, "agree within a second"),
        (1.4, 2.0, checks.INFO, "agree within a second"),
        (-3, 0.001, checks.WARNING, "This machine is 3.0 s ahead of the database."),
        (90, 0.002, checks.ERROR, "This machine is 90.0 s behind the database."),
    ],
)
def test_a_clock_is_judged_by_its_difference(skew, round_trip, level, text):
    message = postgres_checks.judge_clock(skew, round_trip)

    assert message.level == level
    assert text in message.msg


def test_a_missing_sqlite_file_is_not_created(tmp_path):
    path = tmp_path / "db.sqlite3"

    report = Report(DATABASE_URL=f"sqlite:///{path}")

    assert report.of("DATABASE_URL")[0].startswith("error: The file does not exist yet.")
    assert not path.exists()


def test_the_migrations_of_a_sqlite_file_are_checked(sqlite_url):
    report = Report(DATABASE_URL=sqlite_url)

    assert report.of("DATABASE_URL")[1].startswith(
        "warning: This is a SQLite file, which only one machine can use."
    )
    assert report.of("migrations") == ["ok: All are applied."]
    assert report.code == 0


@pytest.fixture(scope="module")
def certificate(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The server's certificate, issued for localhost only."""
    with psycopg.connect(postgres.url) as connection:
        [folder] = connection.execute("SHOW data_directory").fetchone() or [""]
        [library] = connection.execute("SHOW ssl_library").fetchone() or [""]
    require(library, "no PostgreSQL that speaks TLS: install Debian's postgresql")
    write_certificate(Path(folder))
    for file in (CERTIFICATE, KEY):
        Path(folder, file).chmod(0o600)
        chown_to_server_user(Path(folder, file))
    execute(postgres.url, "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    assert becomes_true(lambda: speaks_tls(postgres.url))
    bundle = tmp_path_factory.mktemp("tls") / "ca.pem"
    bundle.write_bytes(Path(folder, CERTIFICATE).read_bytes())
    return str(bundle)


def speaks_tls(url: str) -> bool:
    with psycopg.connect(url, sslmode="prefer") as connection:
        return bool(connection.pgconn.ssl_in_use)


def verified(url: str, *, host: str, bundle: str = "") -> str:
    query = "sslmode=verify-full" + (f"&sslrootcert={bundle}" if bundle else "")
    parts = urlsplit(url)
    return parts._replace(netloc=f"app:{PASSWORD}@{host}:{parts.port}", query=query).geturl()


def test_tls_is_verified_on_a_real_connection(direct, certificate):
    report = Report(DATABASE_URL=verified(direct, host="localhost", bundle=certificate))

    assert "ok: TLS: encrypted, and the server's name is verified." in report.of("DATABASE_URL")


@pytest.mark.parametrize("mismatch", ["host name", "certificate authority"])
def test_a_server_that_cannot_be_verified_is_an_error(direct, certificate, mismatch):
    url = (
        verified(direct, host="127.0.0.1", bundle=certificate)
        if mismatch == "host name"
        else verified(direct, host="localhost")
    )
    report = Report(DATABASE_URL=url)

    assert report.code == 1
    assert "Use the host name that the server's certificate was issued for." in report.of("DATABASE_URL")[0]


@pytest.mark.parametrize(
    ("encrypted", "mode", "local", "level", "text"),
    [
        (True, "verify-full", False, checks.INFO, "name is verified"),
        (True, "verify-full", True, checks.INFO, "name is verified"),
        (True, "require", False, checks.WARNING, "sslmode=require does not verify"),
        (True, "verify-ca", False, checks.WARNING, "sslmode=verify-ca does not verify"),
        (False, "require", False, checks.ERROR, "not encrypted"),
        (False, "prefer", True, checks.INFO, "not needed"),
    ],
)
def test_tls_is_judged_by_the_state_of_the_connection(encrypted, mode, local, level, text):
    message = databases.judge_tls(encrypted=encrypted, mode=mode, local=local)

    assert message.level == level
    assert text in message.msg
