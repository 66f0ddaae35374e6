"""The notes resource, served beside the real routes, and two users who call it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.caller import Caller
from tests.support.doctor import PASSWORD, execute, with_user
from tests.support.raw_http import HOST
from tests.support.run_app import SERVED, prepared_postgres, prepared_sqlite
from tests.support.servers.gunicorn import ROOT, Gunicorn
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres


@pytest.fixture
def notes(db: None, settings: Any) -> None:
    """Serve /api/v1/notes, which only tests have."""
    settings.ROOT_URLCONF = "tests.support.notes"


@pytest.fixture
def notes_alice(notes: None, alice: Any) -> Caller:
    return Caller(alice.email)


@pytest.fixture
def notes_bob(notes: None, bob: Any) -> Caller:
    return Caller(bob.email)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with prepared_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return prepared_sqlite(tmp_path_factory.mktemp("server") / "db.sqlite3")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> Iterator[Gunicorn]:
    """One process, so that a request that breaks it also fails the next test."""
    if request.param == "sqlite":
        url = request.getfixturevalue("sqlite_url")
    else:
        url = request.getfixturevalue("postgres").url
    with Gunicorn(settings=SERVED, DATABASE_URL=url, ALLOWED_HOSTS=HOST) as server:
        yield server


@pytest.fixture(scope="module")
def direct(postgres: Postgres) -> str:
    """The URL of a migrated database and a role with the timeouts that the deployment guide sets."""
    guide = (ROOT / "docs" / "deployment.md").read_text()
    statements = re.findall("ALTER ROLE neondb_owner .*;", guide)
    assert len(statements) == 4
    execute(
        postgres.url,
        "CREATE ROLE app LOGIN",
        *(statement.replace("neondb_owner", "app") for statement in statements),
        "GRANT pg_read_all_data TO app",
        "CREATE DATABASE empty",
    )
    return with_user(postgres.url, f"app:{PASSWORD}")


@pytest.fixture(scope="module")
def pooled(direct: str) -> Iterator[str]:
    with PgBouncer(with_user(direct, "app")) as bouncer:
        yield with_user(bouncer.url, f"app:{PASSWORD}")
