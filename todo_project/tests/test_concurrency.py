"""Quick requests share a thread, and one user occupies at most half of the threads of a process."""

import contextlib
import json
import secrets
import socket
import time
from types import SimpleNamespace

import psycopg
import pytest

from accounts.models import User
from tasks.ledger.models import Clock
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, signed_in
from tests.support.locks import transaction_blocking
from tests.support.processes import TIMEOUT, becomes_true
from tests.support.raw_http import (
    ALICE,
    BOB,
    HOST,
    VALID_REQUEST,
    ask,
    json_request,
    lines,
    receive,
    request,
)
from tests.support.run_app import ALICE_ID, SERVED
from tests.support.servers.gunicorn import Gunicorn
from tests.support.servers.slow_network import SlowNetwork
from tests.support.threads import run_together
from todo_project.api import concurrency
from todo_project.api.errors import RateLimited

INSERT = """
    INSERT INTO todo_project_note (id, owner_id, title, rank, extra, version, created_at)
    SELECT gen_random_uuid(), id, %s, 0, '{}', 1, now() FROM accounts_user WHERE id = %s
"""
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


DATABASE_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'todo'"

OF_BOB = request("GET /api/v1/notes", f"Authorization: Bearer {BOB}", alice=False)
OTHER_CREDENTIAL = request("GET /api/v1/notes", f"Authorization: {ALICE}", alice=False)


def serve(url: str, worker: str, **changes: str) -> Gunicorn:
    worker_class = f"--worker-class tests.support.servers.{worker}"
    return Gunicorn(
        settings=SERVED, DATABASE_URL=url, ALLOWED_HOSTS=HOST, GUNICORN_CMD_ARGS=worker_class, **changes
    )


def serve_patiently(url: str, *, near: str = "60", distant: str = "60") -> Gunicorn:
    """For so many seconds, no other thread takes over from the one that serves."""
    return serve(url, "patient_worker.PatientWorker", LONG_REQUEST=near, LONG_REQUEST_DISTANT=distant)


@pytest.fixture
def connect():
    """Connections that are closed in the end."""
    with contextlib.ExitStack() as stack:

        def connect(server: Gunicorn, number: int) -> list[socket.socket]:
            address = ("127.0.0.1", server.port)
            return [stack.enter_context(socket.create_connection(address, TIMEOUT)) for _ in range(number)]

        yield connect


def write_and_wait(client: socket.socket, operator: psycopg.Connection) -> None:
    """Alice creates a note, which waits for the end of the operator's transaction."""
    title = secrets.token_hex(8)
    operator.execute(INSERT, [title, ALICE_ID])
    client.sendall(json_request(json.dumps({"title": title})))
    assert becomes_true(lambda: operator.execute(WAITING).fetchone() == (1,))


@pytest.mark.own_servers
def test_quick_requests_of_many_connections_are_served_by_one_thread(postgres, connect):
    with serve_patiently(postgres.url) as server, psycopg.connect(postgres.url) as operator:
        clients = connect(server, 8)
        for _ in range(5):
            for client in clients:
                client.sendall(VALID_REQUEST)
            assert [receive(client).status_code for client in clients] == [200] * 8

        assert operator.execute(DATABASE_CONNECTIONS).fetchone() == (1,)


@pytest.mark.own_servers
def test_with_a_distant_database_another_thread_takes_over_while_one_waits_for_it(postgres, connect):
    with (
        SlowNetwork(postgres.url, 0.01) as network,
        serve_patiently(network.url, near="1", distant="0.0002") as server,
        psycopg.connect(postgres.url, autocommit=True) as operator,
    ):
        person = json.dumps({"email": "carol@example.com", "password": PASSWORD})
        assert ask(server, json_request(person, to="POST /api/v1/auth/register")).status_code == 201
        signed_in = ask(server, json_request(person, to="POST /api/v1/auth/token"))
        authorization = f"Authorization: Bearer {signed_in.json()['access']}"
        clients = connect(server, 2)

        def both_have_a_connection():
            for client in clients:
                client.sendall(request("GET /api/v1/tasks", authorization, alice=False))
            assert [receive(client).status_code for client in clients] == [200] * 2
            return operator.execute(DATABASE_CONNECTIONS).fetchall() > [(1,)]

        assert becomes_true(both_have_a_connection)


@pytest.mark.own_servers
def test_users_are_served_in_turn_however_many_connections_and_credentials_each_has(postgres, connect):
    with serve_patiently(postgres.url) as server, psycopg.connect(postgres.url) as operator:
        assert [ask(server, each).status_code for each in (VALID_REQUEST, OTHER_CREDENTIAL)] == [200] * 2
        writer, *clients = connect(server, 8)
        write_and_wait(writer, operator)
        for client, each in zip(clients, [VALID_REQUEST, OTHER_CREDENTIAL] * 3 + [OF_BOB], strict=True):
            client.sendall(each)
        operator.rollback()
        assert [receive(client).status_code for client in clients] == [200] * 7

        served = [line["user_id"] == ALICE_ID for line in lines(server.log) if "user_id" in line][-7:]
        assert served == [True, False, True, True, True, True, True]


@pytest.mark.own_servers
@pytest.mark.parametrize(("max_wait", "status"), [("60", 200), ("0.1", 429)])
def test_requests_of_a_user_who_has_used_their_share_wait_without_occupying_threads(
    postgres, connect, max_wait, status
):
    with (
        serve(postgres.url, "strict_worker.StrictWorker", MAX_WAIT=max_wait) as server,
        psycopg.connect(postgres.url) as operator,
    ):
        assert ask(server, VALID_REQUEST).status_code == 200
        writer, *clients = connect(server, 5)
        write_and_wait(writer, operator)
        for client in clients:
            client.sendall(VALID_REQUEST)
        # In turn with Alice's, so that each of hers would have got a thread.
        assert [ask(server, OF_BOB).status_code for _ in clients] == [200] * 4
        if status == 200:
            operator.rollback()

        assert [receive(client).status_code for client in clients] == [status] * 4


@pytest.mark.own_servers
def test_a_user_who_occupies_half_of_the_threads_gets_429_while_others_are_served(postgres, connect):
    with (
        Gunicorn(settings=SERVED, DATABASE_URL=postgres.url, ALLOWED_HOSTS=HOST) as server,
        psycopg.connect(postgres.url) as operator,
    ):
        waiting = connect(server, 2)
        title = json.dumps({"title": "waits"})
        operator.execute(INSERT, ["waits", ALICE_ID])
        for client in waiting:
            client.sendall(json_request(title))
        assert becomes_true(lambda: operator.execute(WAITING).fetchone() == (2,))

        refused, served = ask(server, VALID_REQUEST), ask(server, OF_BOB)
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


def test_a_process_remembers_a_limited_number_of_credentials(as_alice, as_bob, monkeypatch):
    monkeypatch.setattr(concurrency, "MAX_CREDENTIALS", 2)
    monkeypatch.setattr(concurrency, "_users", {})
    for caller in (as_alice, as_bob, signed_in(User.objects.create_user("carol@example.com"))):
        assert caller("get", "/me").status_code == 200

    assert len(concurrency._users) == 1


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
