"""A database URL becomes a configuration that is safe on Neon, or one sentence that names the variable."""

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
def test_a_url_gives_what_the_driver_accepts(url):
    config = configure(url)

    assert config["ENGINE"] == "todo_project.db.postgresql"
    assert psycopg.conninfo.make_conninfo("", **config["OPTIONS"])


def test_the_parts_of_a_neon_url_arrive():
    config = configure(POOLED + "?sslmode=require&channel_binding=require")

    assert (config["USER"], config["PASSWORD"], config["NAME"]) == ("ann", "s3cret", "neondb")
    assert config["HOST"] == "ep-cool-name-a1b2c3-pooler.eu-central-1.aws.neon.tech"
    assert config["OPTIONS"]["sslmode"] == "require"
    assert config["OPTIONS"]["channel_binding"] == "require"


def test_a_percent_encoded_password_is_decoded_once():
    config = configure("postgresql://ann:p%40ss%2Fw%25rd%23%24x@localhost/todo")

    assert config["PASSWORD"] == "p@ss/w%rd#$x"


def test_a_connection_lives_shorter_than_a_compute_and_is_checked():
    config = configure(DIRECT)

    assert config["CONN_MAX_AGE"] == 240
    assert config["CONN_HEALTH_CHECKS"] is True


def test_a_connection_fails_within_its_budget_and_notices_a_vanished_peer():
    options = configure(DIRECT)["OPTIONS"]

    assert options["connect_timeout"] == 10
    assert options["tcp_user_timeout"] == 10_000
    assert (options["keepalives"], options["keepalives_idle"]) == (1, 30)
    assert options["application_name"] == "todo"


def test_the_url_has_the_last_word_on_an_option():
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
def test_behind_a_pooler_there_are_no_server_side_cursors(url, pooler, disabled):
    assert configure(url, pooler=pooler)["DISABLE_SERVER_SIDE_CURSORS"] is disabled


def test_the_direct_url_may_not_name_the_pooler():
    with pytest.raises(ImproperlyConfigured, match="^DATABASE_URL must not be the pooled endpoint"):
        configure(POOLED, direct=True)


@pytest.mark.parametrize(
    "options", ["-c%20statement_timeout%3D5s", "--search_path=x", "endpoint%3Da%20-c%20x%3D1"]
)
def test_start_up_options_are_refused_through_a_pooler(options):
    with pytest.raises(
        ImproperlyConfigured, match="^DATABASE_URL must not have startup options with a pooler"
    ):
        configure(f"{POOLED}?options={options}")


@pytest.mark.parametrize(
    "url", [f"{POOLED}?options=endpoint%3Dep-cool-name", f"{DIRECT}?options=-c%20jit%3Doff"]
)
def test_neons_endpoint_option_and_options_of_a_direct_connection_pass(url):
    assert configure(url)["OPTIONS"]["options"]


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_weak_tls_to_another_host_is_refused(mode):
    with pytest.raises(ImproperlyConfigured, match=f"^DATABASE_URL has sslmode={mode}"):
        configure(f"{DIRECT}?sslmode={mode}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///todo?host=db.example.com&sslmode=disable",
        "postgresql://localhost/todo?hostaddr=203.0.113.9&sslmode=disable",
        "postgresql://localhost,db.example.com/todo?sslmode=prefer",
        "postgresql://10.0.0.5/todo?sslmode=disable",
    ],
)
def test_weak_tls_cannot_be_smuggled_past_the_host_name(url):
    with pytest.raises(ImproperlyConfigured, match="has sslmode="):
        configure(url)


def test_without_a_word_about_tls_it_is_required():
    assert configure(DIRECT)["OPTIONS"]["sslmode"] == "require"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "127.9.9.9", ""])
def test_a_local_server_may_do_without_tls(host):
    assert configure(f"postgresql://{host}/todo")["OPTIONS"]["sslmode"] == "prefer"


@pytest.mark.parametrize(
    "query", ["sslmode=verify-full", "sslmode=verify-full&sslrootcert=system", "sslmode=verify-ca"]
)
def test_verification_brings_a_bundle_that_exists(query):
    bundle = configure(f"{DIRECT}?{query}")["OPTIONS"]["sslrootcert"]

    assert bundle == certifi.where()
    assert Path(bundle).is_file()


def test_verify_full_is_not_weakened():
    assert configure(f"{DIRECT}?sslmode=verify-full")["OPTIONS"]["sslmode"] == "verify-full"


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
def test_what_cannot_work_is_one_sentence_without_the_password(url, words):
    with pytest.raises(ImproperlyConfigured) as refusal:
        configure(url)

    assert str(refusal.value).startswith("DATABASE_URL ")
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///db.sqlite3", "/srv/todo/db.sqlite3"),
        ("sqlite:////var/lib/todo.sqlite3", "/var/lib/todo.sqlite3"),
        ("sqlite://:memory:", ":memory:"),
    ],
)
def test_an_sqlite_file_lies_where_the_project_is(url, name):
    assert configure(url)["NAME"] == name
