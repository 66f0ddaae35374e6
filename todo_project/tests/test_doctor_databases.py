"""The doctor meets real databases and poolers, whole ones and broken ones."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.doctor import NOWHERE, PASSWORD, Report, execute, with_user
from tests.support.processes import becomes_true
from tests.support.programs import require
from tests.support.servers.postgres import Postgres
from tests.support.servers.server import give
from todo_project.operations.doctor import databases, inside

pytestmark = pytest.mark.own_servers


def test_a_wrong_name_is_told_with_its_remedy(direct):
    report = Report(DATABASE_URL=with_user(direct, "nobody-knows"))

    assert "Correct the name of the role or the database in the URL." in report.of("DATABASE_URL")[0]


def test_only_the_url_that_is_down_is_complained_of(direct):
    report = Report(DATABASE_URL=NOWHERE, DATABASE_URL_UNPOOLED=direct)

    assert report.of("DATABASE_URL")[0].startswith("problem")
    assert report.of("DATABASE_URL_UNPOOLED")[0].startswith("ok: It answers")
    assert report.of("migrations") == ["ok: All are applied."]


def test_an_empty_database_is_to_be_migrated(direct):
    report = Report(DATABASE_URL=with_user(direct, "todo", database="empty"))

    assert report.code == 1
    [pending] = report.of("migrations")
    assert "are not applied; the first is accounts.0001_initial." in pending
    assert "Run `python manage.py migrate --noinput` before this code serves." in pending
    assert report.of("extensions")[0].startswith("problem: pg_trgm and btree_gin are not installed.")


def test_a_migration_from_the_future_is_pointed_at(postgres, direct):
    execute(
        postgres.url,
        "INSERT INTO django_migrations (app, name, applied) VALUES ('tasks', '9999_later', now())",
    )
    try:
        report = Report(DATABASE_URL=direct)
    finally:
        execute(postgres.url, "DELETE FROM django_migrations WHERE name = '9999_later'")

    assert report.of("migrations")[1].startswith("warning: 1 are applied that this code does not know")


def test_two_databases_are_told_apart(direct):
    report = Report(DATABASE_URL=direct, DATABASE_URL_UNPOOLED=with_user(direct, "app", database="empty"))

    assert report.code == 1
    assert report.of("both URLs")[0].startswith(
        "problem: DATABASE_URL and DATABASE_URL_UNPOOLED lead to different databases or servers."
    )


def test_a_pooler_that_is_not_taken_for_one_is_found(pooled, direct):
    report = Report(DATABASE_URL=pooled, DATABASE_URL_UNPOOLED=direct)

    assert report.code == 1
    assert "Set DATABASE_POOLER=true" in report.of("DATABASE_URL")[-1]


def test_a_direct_url_that_leads_through_a_pooler_is_found(pooled):
    report = Report(DATABASE_URL=pooled, DATABASE_POOLER="true", DATABASE_URL_UNPOOLED=pooled)

    assert report.code == 1
    assert report.of("DATABASE_URL_UNPOOLED")[-1].startswith("problem: Pooling: it leads through a pooler")


def test_a_direct_url_that_is_taken_for_a_pooler_is_found(direct):
    report = Report(DATABASE_URL=direct, DATABASE_POOLER="true")

    assert report.of("DATABASE_URL")[-1].startswith("warning: Pooling: no pooler showed itself")
    assert report.of("both URLs")[0].startswith("warning: Commands use the pooled URL too")


@pytest.mark.parametrize(
    ("host", "level", "words"),
    [
        ("ep-a-1.eu-central-1.aws.neon.tech", "warning", "whose host contains -pooler"),
        ("db.example.com", "ok", ""),
    ],
)
def test_neons_direct_url_is_not_for_requests(host, level, words):
    judged = databases.judge_pooling("DATABASE_URL", shared=False, expected=False, host=host)

    assert judged.level == level
    assert words in judged.advice


def test_a_role_without_limits_is_told_how_to_get_them(postgres):
    report = Report(DATABASE_URL=postgres.url)

    assert report.of("timeouts")[:3] == [
        "warning: statement_timeout is off for the role todo. "
        "Run once: ALTER ROLE todo SET statement_timeout = '30s';",
        "warning: lock_timeout is off for the role todo. Run once: ALTER ROLE todo SET lock_timeout = '10s';",
        "warning: idle_in_transaction_session_timeout is off for the role todo. "
        "Run once: ALTER ROLE todo SET idle_in_transaction_session_timeout = '60s';",
    ]
    assert report.of("role")[0].startswith("warning: The role todo is a superuser.")


def test_a_database_that_takes_no_writes_is_found(postgres, direct):
    execute(postgres.url, "ALTER ROLE app SET default_transaction_read_only = on")
    try:
        report = Report(DATABASE_URL=direct)
    finally:
        execute(postgres.url, "ALTER ROLE app RESET default_transaction_read_only")

    assert report.of("server")[-1].startswith("problem: It takes no writes")


def test_an_index_that_was_left_half_made_is_found(postgres, direct):
    execute(
        postgres.url,
        "CREATE TABLE doubled AS SELECT 1 AS n FROM generate_series(1, 2)",
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        execute(postgres.url, "CREATE UNIQUE INDEX CONCURRENTLY half_made ON doubled (n)")
    try:
        report = Report(DATABASE_URL=direct)
    finally:
        execute(postgres.url, "DROP TABLE doubled")

    [found] = report.of("indexes")
    assert found.startswith("problem: The index half_made is not valid")
    assert "DROP INDEX CONCURRENTLY half_made;" in found


def test_more_threads_than_connections_are_found(direct):
    report = Report(DATABASE_URL=direct, WEB_CONCURRENCY="64", WEB_THREADS="4")

    assert report.of("connections")[0].startswith(
        "problem: This machine's 256 threads keep one each; the server allows 197."
    )


def test_a_clock_that_is_wrong_is_found():
    assert inside.judge_clock(0.4, 0.001).level == "ok"
    assert inside.judge_clock(1.4, 2.0).level == "ok"
    assert inside.judge_clock(-3, 0.001).found == "This machine is 3.0 s ahead of the database."
    assert inside.judge_clock(-3, 0.001).level == "warning"
    assert inside.judge_clock(90, 0.002).found == "This machine is 90.0 s behind the database."
    assert inside.judge_clock(90, 0.002).level == "problem"


def test_a_sqlite_file_that_is_not_there_is_not_made(tmp_path):
    path = tmp_path / "db.sqlite3"

    report = Report(DATABASE_URL=f"sqlite:///{path}")

    assert report.of("DATABASE_URL")[0].startswith("problem: There is no such file yet.")
    assert not path.exists()


def test_a_sqlite_file_is_checked_for_its_migrations(sqlite_url):
    report = Report(DATABASE_URL=sqlite_url)

    assert report.of("DATABASE_URL")[1].startswith("warning: It is a SQLite file, which serves one machine.")
    assert report.of("migrations") == ["ok: All are applied."]
    assert report.code == 0


@pytest.fixture(scope="module")
def certificate(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The server speaks TLS with this certificate, which is good for localhost only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM).decode()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    with psycopg.connect(postgres.url) as connection:
        [folder] = connection.execute("SHOW data_directory").fetchone() or [""]
        [library] = connection.execute("SHOW ssl_library").fetchone() or [""]
    require(library, "no PostgreSQL that speaks TLS: install Debian's postgresql")
    for file, text in {"server.crt": pem, "server.key": secret}.items():
        path = Path(folder) / file
        path.write_text(text)
        path.chmod(0o600)
        give(path)
    execute(postgres.url, "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    assert becomes_true(lambda: speaks_tls(postgres.url))
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    path.write_text(pem)
    return str(path)


def speaks_tls(url: str) -> bool:
    with psycopg.connect(url, sslmode="prefer") as connection:
        return bool(connection.pgconn.ssl_in_use)


def verified(url: str, *, host: str, bundle: str = "") -> str:
    query = "sslmode=verify-full" + (f"&sslrootcert={bundle}" if bundle else "")
    parts = urlsplit(url)
    return parts._replace(netloc=f"app:{PASSWORD}@{host}:{parts.port}", query=query).geturl()


def test_tls_is_verified_for_real(direct, certificate):
    report = Report(DATABASE_URL=verified(direct, host="localhost", bundle=certificate))

    assert "ok: TLS: encrypted, and the server has proven its name." in report.of("DATABASE_URL")


@pytest.mark.parametrize("wrong", ["another name", "another authority"])
def test_a_server_that_is_not_proven_is_not_used(direct, certificate, wrong):
    url = (
        verified(direct, host="127.0.0.1", bundle=certificate)
        if wrong == "another name"
        else verified(direct, host="localhost")
    )
    report = Report(DATABASE_URL=url)

    assert report.code == 1
    assert "Write the host by the name that the server's certificate is for" in report.of("DATABASE_URL")[0]


@pytest.mark.parametrize(
    ("encrypted", "mode", "local", "level", "words"),
    [
        (True, "verify-full", False, "ok", "proven its name"),
        (True, "verify-full", True, "ok", "proven its name"),
        (True, "require", False, "warning", "sslmode=require does not prove"),
        (True, "verify-ca", False, "warning", "sslmode=verify-ca does not prove"),
        (False, "require", False, "problem", "not encrypted"),
        (False, "prefer", True, "ok", "not needed"),
    ],
)
def test_tls_is_judged_by_what_the_connection_tells(encrypted, mode, local, level, words):
    judged = databases.judge_tls(encrypted=encrypted, mode=mode, local=local)

    assert judged.level == level
    assert words in judged.found
