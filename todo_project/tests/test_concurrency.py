"""Quick requests share a thread, and one user occupies at most half of the threads of a process."""

import contextlib
import socket
import time
from types import SimpleNamespace

import psycopg
import pytest

from tasks.ledger.models import Clock
from tests.support.assertions import assert_error
from tests.support.locks import transaction_blocking
from tests.support.processes import TIMEOUT, becomes_true
from tests.support.raw_http import BOB, HOST, VALID_REQUEST, ask, json_request, receive, request
from tests.support.run_app import SERVED
from tests.support.servers.gunicorn import Gunicorn
from tests.support.threads import run_together
from todo_project.api import concurrency
from todo_project.api.errors import RateLimited

INSERT = """
    INSERT INTO todo_project_note (id, owner_id, title, rank, extra, version, created_at)
    SELECT gen_random_uuid(), owner_id, 'waits', 0, '{}', 1, now() FROM todo_project_note
"""
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


PATIENT = "--worker-class tests.support.servers.patient_worker.PatientWorker"
DATABASE_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'todo'"


@pytest.mark.own_servers
def test_quick_requests_of_many_connections_are_served_by_one_thread(postgres):
    with (
        Gunicorn(
            settings=SERVED, DATABASE_URL=postgres.url, ALLOWED_HOSTS=HOST, GUNICORN_CMD_ARGS=PATIENT
        ) as server,
        psycopg.connect(postgres.url) as operator,
        contextlib.ExitStack() as stack,
    ):
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), TIMEOUT))
            for _ in range(8)
        ]
        for _ in range(5):
            for client in clients:
                client.sendall(VALID_REQUEST)
            assert [receive(client).status_code for client in clients] == [200] * 8

        assert operator.execute(DATABASE_CONNECTIONS).fetchone() == (1,)


@pytest.mark.own_servers
def test_a_user_who_occupies_half_of_the_threads_gets_429_while_others_are_served(postgres):
    with (
        Gunicorn(settings=SERVED, DATABASE_URL=postgres.url, ALLOWED_HOSTS=HOST) as server,
        psycopg.connect(postgres.url) as operator,
        contextlib.ExitStack() as stack,
    ):
        operator.execute(INSERT)  # Writes of the same title wait for the end of this transaction.
        waiting = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), TIMEOUT))
            for _ in range(2)
        ]
        for client in waiting:
            client.sendall(json_request('{"title": "waits"}'))
        assert becomes_true(lambda: operator.execute(WAITING).fetchone() == (2,))

        refused = ask(server, VALID_REQUEST)
        served = ask(server, request("GET /api/v1/notes", f"Authorization: Bearer {BOB}", alice=False))
        operator.rollback()

        assert_error(refused, 429, "RATE_LIMITED")
        assert refused["Retry-After"] == "1"
        assert served.status_code == 200
        assert sorted(receive(client).status_code for client in waiting) == [201, 409]
        assert ask(server, VALID_REQUEST).status_code == 200


def test_a_download_occupies_a_thread_until_its_end(as_alice, settings):
    settings.MAX_THREADS_PER_USER = 1
    download = as_alice("get", "/me/export")

    assert_error(as_alice("get", "/me"), 429, "RATE_LIMITED")

    b"".join(download.streaming_content)  # The client closes the response at its end.
    assert as_alice("get", "/me").status_code == 200
    assert not concurrency._running  # Otherwise it would grow with every user.


def test_a_user_exports_once_at_a_time(as_alice, as_bob, settings):
    settings.MAX_THREADS_PER_USER = 10
    download = as_alice("get", "/me/export")

    error = as_alice("get", "/me/export")
    assert_error(error, 429, "RATE_LIMITED")
    assert error["Retry-After"] == "1"
    assert as_alice("get", "/me").status_code == 200
    for other in (as_bob("get", "/me/export"), download):
        assert b"".join(other.streaming_content).startswith(b"{")
    assert b"".join(as_alice("get", "/me/export").streaming_content).startswith(b"{")
    assert not concurrency._running


@pytest.fixture
def used_share(as_alice, monkeypatch, settings):
    """Alice has used more than her share of the threads, for a long time."""
    settings.SECONDS_BEFORE_TURNS = 0
    monkeypatch.setattr(concurrency, "_turns_until", {})
    monkeypatch.setattr(concurrency, "SHARE", 1e-9)
    assert as_alice("get", "/tasks").status_code == 200


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_user_who_has_used_their_share_waits_for_their_other_request_while_others_are_served(
    as_alice, as_bob, alice, used_share, monkeypatch
):
    monkeypatch.setattr(concurrency, "TURN_TIMEOUT", 0.1)

    def ask_meanwhile():
        refused = as_alice("get", "/tasks")
        assert_error(refused, 429, "RATE_LIMITED")
        assert refused["Retry-After"] == "1"
        assert as_bob("get", "/tasks").status_code == 200

    with transaction_blocking(
        lambda: as_alice("post", "/tasks", {"title": "milk"}), before_commit=ask_meanwhile
    ) as responses:
        Clock.objects.lock(alice)

    assert responses[0].status_code == 201
    assert as_alice("get", "/tasks").status_code == 200


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_request_that_waits_for_its_turn_is_served_when_the_other_one_has_ended(
    as_alice, alice, used_share, monkeypatch
):
    monkeypatch.setattr(concurrency, "TURN_TIMEOUT", 60)
    started = time.monotonic()

    def create():
        return as_alice("post", "/tasks", {"title": "milk"}).status_code

    with transaction_blocking(lambda: run_together(2, create)) as statuses:
        Clock.objects.lock(alice)

    assert statuses == [[201, 201]]
    assert time.monotonic() - started < 30


def test_a_user_who_has_used_less_than_their_share_is_forgotten(as_alice):
    assert as_alice("get", "/tasks").status_code == 200
    assert not concurrency._in_turn
    assert not concurrency._turns_until


@pytest.mark.parametrize(("seconds", "is_refused"), [(0.4, False), (0.6, True)])
def test_a_request_of_more_than_half_a_second_uses_up_the_share_of_its_user(
    alice, monkeypatch, settings, seconds, is_refused
):
    settings.SECONDS_BEFORE_TURNS = 0.5
    clock = {"now": 1000.0}
    monkeypatch.setattr(concurrency, "time", SimpleNamespace(monotonic=lambda: clock["now"]))
    monkeypatch.setattr(concurrency, "_turns_until", {})
    monkeypatch.setattr(concurrency, "TURN_TIMEOUT", 0)
    with concurrency.Turn(alice):
        clock["now"] += seconds

    refused = pytest.raises(RateLimited) if is_refused else contextlib.nullcontext()
    with concurrency.Turn(alice), refused, concurrency.Turn(alice):
        pass
