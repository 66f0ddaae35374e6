"""A database URL becomes settings that are safe on Neon, or an error in one line that names the variable."""

from pathlib import Path

import certifi
import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured

from todo_project.config import database

POOLED = "postgresql://ann:s3cret@ep-cool-name-a1b2c3-pooler.eu-central-1.aws.neon.tech/neondb"
DIRECT = POOLED.replace("-pooler", "")


def configure(url: str, **options):
    return database.configure(url, base_dir=Path("/srv/todo"), variable="DATABASE_URL", **options)


@pytest.mark.parametrize(
    "url",
    [
        POOLED + "?sslmode=require&channel_binding=require",
        DIRECT + "?sslmode=require",
        DIRECT.replace("postgresql://", "postgres://"),
        "postgresql://ann:s3cret@[2001:db8::1]:5432/neondb?sslmode=verify-full",
        "postgresql://localhost/todo",
        "postgresql:///todo?host=/var/run/postgresql",
    ],
)
def test_the_driver_accepts_the_options_of_a_valid_url(url):
    config = configure(url)

    assert config["ENGINE"] == "todo_project.db.postgresql"
    assert psycopg.conninfo.make_conninfo("", **config["OPTIONS"])


def test_the_parts_of_a_url_become_settings():
    config = configure(
        POOLED.replace("s3cret", "p%40ss%2Fw%25rd%23%24x") + "?sslmode=require&channel_binding=require"
    )

    assert (config["USER"], config["PASSWORD"], config["NAME"]) == ("ann", "p@ss/w%rd#$x", "neondb")
    assert config["HOST"] == "ep-cool-name-a1b2c3-pooler.eu-central-1.aws.neon.tech"
    assert config["OPTIONS"]["sslmode"] == "require"
    assert config["OPTIONS"]["channel_binding"] == "require"


def test_a_connection_is_closed_before_neon_suspends_and_has_timeouts():
    config = configure(DIRECT)
    options = config["OPTIONS"]

    assert config["CONN_MAX_AGE"] == 240
    assert config["CONN_HEALTH_CHECKS"] is True
    assert options["connect_timeout"] == 7
    assert options["tcp_user_timeout"] == 10_000
    assert (options["keepalives"], options["keepalives_idle"]) == (1, 30)
    assert options["application_name"] == "todo"


def test_an_option_of_the_url_replaces_the_default():
    assert configure(DIRECT + "?connect_timeout=3")["OPTIONS"]["connect_timeout"] == 3


@pytest.mark.parametrize(
    ("url", "pooler", "disabled"),
    [
        (POOLED, False, True),
        (DIRECT, False, False),
        (DIRECT, True, True),
        ("postgresql://localhost/todo", True, True),
    ],
)
def test_server_side_cursors_are_disabled_behind_a_pooler(url, pooler, disabled):
    assert configure(url, pooler=pooler)["DISABLE_SERVER_SIDE_CURSORS"] is disabled


def test_the_pooled_endpoint_of_neon_is_refused_as_the_direct_url():
    with pytest.raises(ImproperlyConfigured, match="^DATABASE_URL must not be the pooled endpoint"):
        configure(POOLED, direct=True)


@pytest.mark.parametrize(
    "options", ["-c%20statement_timeout%3D5s", "--search_path=x", "endpoint%3Da%20-c%20x%3D1"]
)
def test_start_up_options_are_refused_behind_a_pooler(options):
    with pytest.raises(ImproperlyConfigured, match="^DATABASE_URL must not have startup options"):
        configure(f"{POOLED}?options={options}")


@pytest.mark.parametrize(
    "url", [f"{POOLED}?options=endpoint%3Dep-cool-name", f"{DIRECT}?options=-c%20jit%3Doff"]
)
def test_the_endpoint_option_of_neon_and_options_of_a_direct_connection_are_allowed(url):
    assert configure(url)["OPTIONS"]["options"]


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        (f"{DIRECT}?sslmode=disable", "disable"),
        (f"{DIRECT}?sslmode=allow", "allow"),
        (f"{DIRECT}?sslmode=prefer", "prefer"),
        ("postgresql:///todo?host=db.example.com&sslmode=disable", "disable"),
        ("postgresql://localhost/todo?hostaddr=203.0.113.9&sslmode=disable", "disable"),
        ("postgresql://localhost,db.example.com/todo?sslmode=prefer", "prefer"),
        ("postgresql://10.0.0.5/todo?sslmode=disable", "disable"),
    ],
)
def test_optional_tls_to_another_host_is_refused(url, mode):
    with pytest.raises(ImproperlyConfigured, match=f"^DATABASE_URL has sslmode={mode}"):
        configure(url)


def test_tls_to_another_host_is_required_by_default():
    assert configure(DIRECT)["OPTIONS"]["sslmode"] == "require"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "127.9.9.9", ""])
def test_tls_to_a_local_server_is_optional(host):
    assert configure(f"postgresql://{host}/todo")["OPTIONS"]["sslmode"] == "prefer"


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("sslmode=verify-full", "verify-full"),
        ("sslmode=verify-full&sslrootcert=system", "verify-full"),
        ("sslmode=verify-ca", "verify-ca"),
    ],
)
def test_certificates_are_verified_with_the_included_bundle(query, mode):
    options = configure(f"{DIRECT}?{query}")["OPTIONS"]

    assert options["sslmode"] == mode
    assert options["sslrootcert"] == certifi.where()
    assert Path(options["sslrootcert"]).is_file()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://ann:s3cret@db/x", "must begin with postgresql:// or sqlite://"),
        ("not a url", "must begin with postgresql:// or sqlite://"),
        ("postgresql://ann:s3cret@db.example.com:54x2/todo", "is not a valid URL"),
        ("postgresql://ann:s3cret@[bad/todo", "is not a valid URL"),
        ("postgresql://ann:s3cret@db.example.com", "must contain the name of the database"),
        ("postgresql://ann:s3cret@db.example.com/todo?pgbouncer=true", "unknown option pgbouncer"),
        ("postgresql://ann:s3cret@db.example.com/todo?sslmode=require&sslmode=disable", "sslmode twice"),
        (
            "postgresql://ann:s3cret@db.example.com/todo?sslmode=verify-ca&sslrootcert=/no/where",
            "sslrootcert=/no/where",
        ),
        ("sqlite:///db.sqlite3?timeout=9", "must not have options"),
    ],
)
def test_the_error_of_an_invalid_url_is_one_line_without_the_password(url, words):
    with pytest.raises(ImproperlyConfigured) as caught:
        configure(url)

    assert str(caught.value).startswith("DATABASE_URL ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///db.sqlite3", "/srv/todo/db.sqlite3"),
        ("sqlite:////var/lib/todo.sqlite3", "/var/lib/todo.sqlite3"),
        ("sqlite://:memory:", ":memory:"),
    ],
)
def test_a_relative_path_of_sqlite_starts_at_the_project_folder(url, name):
    assert configure(url)["NAME"] == name


PRIMARY = configure("postgresql://ann:s3cret@db.example.com/todo?sslmode=verify-full")


def configure_replica(url: str, *, primaries=(PRIMARY,)):
    return database.configure_replica(
        url, primaries=primaries, base_dir=Path("/srv/todo"), variable="DATABASE_REPLICA_URL"
    )


def test_a_replica_has_the_options_of_the_primary_but_gives_up_sooner():
    config = configure_replica("postgresql://ann:s3cret@replica.example.com/todo?sslmode=verify-full")

    assert config["OPTIONS"] == PRIMARY["OPTIONS"] | {"connect_timeout": 2}
    same = ("CONN_MAX_AGE", "CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS", "NAME", "USER")
    assert [config[name] for name in same] == [PRIMARY[name] for name in same]
    assert config["ENGINE"] == "todo_project.db.postgresql_replica"


def test_nothing_is_prepared_on_a_pooled_replica():
    assert configure_replica(POOLED)["DISABLE_SERVER_SIDE_CURSORS"] is True


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://bob:other@db.example.com:5432/todo?connect_timeout=3", "leads to the same server as"),
        ("postgresql:///todo?host=db.example.com", "leads to the same server as"),
        ("sqlite:///db.sqlite3", "must begin with postgresql://"),
        ("postgresql://ann@replica.example.com/todo?sslmode=prefer", "has sslmode=prefer"),
        ("postgresql://ann@replica.example.com", "must contain the name of the database"),
    ],
)
def test_a_url_that_is_no_replica_is_refused(url, words):
    with pytest.raises(ImproperlyConfigured, match=f"^DATABASE_REPLICA_URL {words}"):
        configure_replica(url)


@pytest.mark.parametrize(("primary", "replica"), [(POOLED, DIRECT), (DIRECT, POOLED)])
def test_neons_pooled_and_direct_urls_lead_to_the_same_server(primary, replica):
    with pytest.raises(ImproperlyConfigured, match="^DATABASE_REPLICA_URL leads to the same server"):
        configure_replica(replica, primaries=[configure(primary)])


def test_sqlite_has_no_replica():
    with pytest.raises(ImproperlyConfigured, match="^DATABASE_REPLICA_URL needs a DATABASE_URL that begins"):
        configure_replica(POOLED, primaries=[configure("sqlite:///db.sqlite3")])
