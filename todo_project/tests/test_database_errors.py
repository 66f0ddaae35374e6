"""What clients get when the database refuses or loses their request."""

import io
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import OperationalError, connection

from tests.support.assertions import assert_error
from tests.support.processes import becomes_true
from tests.support.raw_http import HOST, VALID_REQUEST, ask, json_request
from tests.support.run_app import SERVED
from tests.support.servers.gunicorn import Gunicorn
from tests.support.servers.pgbouncer import PgBouncer

TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
SERIALIZATION_FAILURE, DEADLOCK, LOCK_TIMEOUT, READ_ONLY = "40001", "40P01", "55P03", "25006"
CHECK_VIOLATION = "23514"


@pytest.mark.postgres
@pytest.mark.parametrize("sqlstate", [SERIALIZATION_FAILURE, DEADLOCK, LOCK_TIMEOUT])
def test_a_conflict_with_another_transaction_is_409_for_a_write_and_503_for_a_read(client, notes, sqlstate):
    assert_error(client.post(f"/api/v1/crash/{sqlstate}"), 409, "CONFLICT")

    response = client.get(f"/api/v1/crash/{sqlstate}")

    assert_error(response, 503, "SERVICE_UNAVAILABLE")
    assert int(response["Retry-After"]) > 0


def test_a_missing_value_that_only_the_database_requires_is_400_with_its_column(client, notes):
    response = client.post("/api/v1/crash/null")

    assert_error(response, 400, "VALIDATION_ERROR", field="owner_id", constraint="null")


@pytest.mark.postgres
def test_a_violation_of_a_constraint_without_a_name_is_400(client, notes):
    assert_error(client.post(f"/api/v1/crash/{CHECK_VIOLATION}"), 400, "VALIDATION_ERROR")


@pytest.mark.postgres
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_database_that_is_read_only_is_503(client, notes, method):
    assert_error(getattr(client, method)(f"/api/v1/crash/{READ_ONLY}"), 503, "SERVICE_UNAVAILABLE")


def test_a_body_that_cannot_be_read_is_400(client, notes_alice):
    class Disconnected(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise ConnectionResetError

    response = client.generic(
        "POST",
        "/api/v1/notes",
        b"{}",
        "application/json",
        headers={"Authorization": f"Bearer {notes_alice.token}"},
        **{"wsgi.input": Disconnected()},
    )

    assert_error(response, 400, "MALFORMED_REQUEST")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_before_a_server_side_cursor_closes_raises_djangos_error():
    """As the cursors of an export do."""
    with connection.chunked_cursor() as cursor:
        cursor.execute("SELECT 1")
        session = connection.connection.info
        with psycopg.connect(session.dsn) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [session.backend_pid])

        with pytest.raises(OperationalError):
            cursor.close()

    connection.close()


@pytest.mark.own_servers
def test_a_connection_that_a_pooler_loses_is_503(postgres):
    statuses: list[int] = []
    over = threading.Event()

    def call(number: int) -> None:
        while not over.is_set():
            write = json_request(json.dumps({"title": uuid.uuid4().hex[:20]}))
            statuses.append(ask(server, write if number % 2 else VALID_REQUEST).status_code)

    pooled = {"DATABASE_POOLER": "true", "ALLOWED_HOSTS": HOST, "WEB_THREADS": "8"}
    with (
        PgBouncer(postgres.url) as pooler,
        Gunicorn(settings=SERVED, DATABASE_URL=pooler.url, **pooled) as server,
        psycopg.connect(postgres.url, autocommit=True) as operator,
        ThreadPoolExecutor(4) as pool,
    ):
        calls = [pool.submit(call, number) for number in range(4)]
        for number in range(1, 101):
            operator.execute(TERMINATE)
            assert becomes_true(lambda: len(statuses) > 5 * number)  # noqa: B023
        over.set()
        for each in calls:
            each.result()

    assert 503 in statuses
    assert set(statuses) <= {200, 201, 503}
