"""Clients that are silent, slow or many hold no thread and delay no other request."""

import contextlib
import os
import re
import select
import signal
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from gunicorn.http.errors import NoMoreData

from tests.support.processes import TIMEOUT, becomes_true, is_running
from tests.support.raw_http import HOST, ask, json_request, levels, receive, request
from tests.support.run_app import MEMORY
from tests.support.servers.gunicorn import HASTY, Gunicorn
from todo_project.server import worker

pytestmark = pytest.mark.own_servers

HEALTH = request("GET /healthz")
ANONYMOUS = request("GET /healthz", alice=False)
API_ROOT = request("GET /api/v1", alice=False)
POST = "POST /api/v1/auth/token"
LARGE_FILE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
JSON = "Content-Type: application/json"
RESET = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which close() resets a connection."""

STALLED: dict[str, bytes] = {
    "nothing": b"",
    "half a head": HEALTH[:-20],
    "half a body": json_request('{"email": "a"}', to=POST)[:-5],
    "half a chunked body": request(POST, JSON, "Transfer-Encoding: chunked", body=b"9\r\n{"),
    "half a trailer": request(POST, JSON, "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\nX-Check: 1"),
    "an announced body": request(POST, JSON, "Content-Length: 9", "Expect: 100-continue"),
    "a request and half of another": HEALTH + HEALTH[:-20],
    "a last request, without closing": request("GET /healthz", "Connection: close"),
    "a rejected request, without closing": b"nonsense\r\n\r\n",
}


@pytest.fixture(scope="module")
def one_process() -> Iterator[Gunicorn]:
    with Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST) as server:
        yield server


def connect(server: Gunicorn, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT)
    client.sendall(sent)
    return client


@contextlib.contextmanager
def clients(server: Gunicorn, number: int, sent: bytes) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(server, sent)) for _ in range(number)]


@pytest.mark.parametrize("sent", STALLED.values(), ids=STALLED)
def test_clients_that_stall_delay_no_other_request(one_process, sent):
    with clients(one_process, 40, sent):
        started = time.monotonic()
        answer = ask(one_process, HEALTH)

    assert answer.status_code == 200
    assert time.monotonic() - started < 9


def test_clients_that_stall_in_the_body_of_their_second_request_delay_no_other(one_process):
    second = request(POST, JSON, "Content-Length: 9")
    with clients(one_process, 40, HEALTH + second[:-4]) as connected:
        for client in connected:
            assert receive(client).status_code == 200
            client.sendall(second[-4:])
        started = time.monotonic()
        answer = ask(one_process, HEALTH)

    assert answer.status_code == 200
    assert time.monotonic() - started < 9


def test_a_request_has_ten_seconds_to_arrive_however_steadily_it_drips(one_process):
    large = b"20000\r\n" + b"x" * 65536
    starts = {
        "head": HEALTH[:20],
        "body": request(POST, JSON, "Content-Length: 999"),
        "chunked body": request(POST, JSON, "Transfer-Encoding: chunked", body=b"999\r\n"),
        "large chunked body": request(POST, JSON, "Transfer-Encoding: chunked", body=large),
        "large body": request(POST, JSON, "Content-Length: 4000000", body=b"x" * 100_000),
    }
    with contextlib.ExitStack() as stack:
        dripping = {stack.enter_context(connect(one_process, start)): name for name, start in starts.items()}
        started, ended = time.monotonic(), dict.fromkeys(starts, 99.0)
        while dripping and time.monotonic() - started < 25:
            closed, _, _ = select.select([*dripping], [], [], 0.5)
            for client in closed:
                ended[dripping.pop(client)] = time.monotonic() - started
            for client in dripping:
                with contextlib.suppress(ConnectionError):
                    client.sendall(b"x")

    assert {name for name, seconds in ended.items() if not 9 < seconds < 19} == set()


def test_a_client_that_does_not_read_its_response_is_disconnected():
    with (
        Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, GUNICORN_CMD_ARGS=HASTY) as server,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(4):  # one for each thread
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", server.port))
            client.sendall(request(f"GET {LARGE_FILE}") * 10)  # more than the kernel holds

        assert becomes_true(lambda: server.log.count("A client was too slow") == 4)


def test_a_client_that_does_not_read_an_error_is_disconnected(monkeypatch):
    monkeypatch.setattr(worker, "SEND_TIMEOUT", 0.1)
    server, client = socket.socketpair()
    with server, client:
        server.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                server.send(b"x")
        server.settimeout(5)
        started = time.monotonic()
        worker.Worker.__new__(worker.Worker).handle_error(None, server, None, NoMoreData())

        assert time.monotonic() - started < 4


def test_a_response_arrives_though_the_client_has_sent_more_than_the_server_reads(one_process):
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", one_process.port))
        client.sendall(request(f"GET {LARGE_FILE}", "Connection: close") + b"x" * 50_000)

        assert len(receive(client).content) > 1_000_000


def test_a_client_that_waits_for_100_continue_gets_it_once(one_process):
    with connect(one_process, request(POST, JSON, "Content-Length: 2", "Expect: 100-continue")) as client:
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")

        assert client.recv(1000).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize(("version", "body"), [(b"HTTP/1.0", b""), (b"HTTP/1.1", b"{")])
def test_a_client_that_does_not_wait_for_100_continue_does_not_get_it(one_process, version, body):
    head = request(POST, JSON, "Content-Length: 2", "Expect: 100-continue").replace(b"HTTP/1.1", version)
    with connect(one_process, head + body) as client:
        assert ask(one_process, HEALTH).status_code == 200  # The process has seen the other request.
        client.sendall(b"{}"[len(body) :])

        assert client.recv(1000).startswith(version + b" 400 Bad Request\r\n")


def test_a_request_that_arrives_byte_by_byte_is_answered(one_process):
    raw = json_request('{"email": "a"}', "Connection: close", to=POST)
    with connect(one_process) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in raw:
            client.sendall(bytes([byte]))

        assert receive(client).status_code == 400


@pytest.mark.parametrize("size", [70_000, 3_900_000])
def test_a_large_body_is_read_completely(one_process, size):
    body = '{"email": "' + "x" * size + '", "password": "x"}'

    answer = ask(one_process, json_request(body, to=POST))

    assert answer.json()["error"]["details"]["constraint"] == "max_length"


def test_a_chunked_body_with_trailers_is_read_completely(one_process):
    chunks = b"2\r\n{}\r\n0\r\nX-Checksum: 1\r\n\r\n"

    answer = ask(one_process, request(POST, JSON, "Transfer-Encoding: chunked", body=chunks))

    assert answer.json()["error"]["details"]["constraint"] == "required"


@pytest.fixture(scope="module")
def small_process() -> Iterator[Gunicorn]:
    """A process that accepts 50 connections."""
    arguments = "--worker-connections 50"
    with Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, GUNICORN_CMD_ARGS=arguments) as server:
        yield server


@pytest.mark.parametrize("sent", ["nothing", "a last request, without closing"])
def test_more_idle_connections_than_a_process_accepts_delay_no_request(small_process, sent):
    with clients(small_process, 200, STALLED[sent]):
        started = time.monotonic()
        answer = ask(small_process, HEALTH)

    assert answer.status_code == 200
    assert time.monotonic() - started < 9


def test_a_full_process_closes_silent_connections_before_those_that_have_sent_a_request(small_process):
    with connect(small_process, HEALTH) as served:
        assert receive(served).status_code == 200
        with clients(small_process, 60, b""):
            assert ask(small_process, HEALTH).status_code == 200  # It has accepted the others before.
            served.sendall(HEALTH)

            assert receive(served).status_code == 200


def test_clients_that_keep_their_connections_spread_over_the_processes():
    with Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, WEB_CONCURRENCY="2") as server:

        def connections() -> list[int]:
            return [len(connected_to(pid)) for pid in server.pids[1:]]

        with contextlib.ExitStack() as stack:
            while len(connections()) < 2 or not all(connections()):  # until both processes serve
                receive(stack.enter_context(connect(server, HEALTH)))
        assert becomes_true(lambda: connections() == [0, 0])

        with clients(server, 16, HEALTH) as connected:
            for client in connected:
                assert receive(client).status_code == 200

            assert sum(connections()) == 16
            assert min(connections()) >= 4


def test_a_process_with_more_connections_lets_the_other_accept_first_but_only_for_some_milliseconds():
    with Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, WEB_CONCURRENCY="2") as server:
        assert becomes_true(lambda: server.log.count("Worker ready") == 2)
        other = psutil.Process(server.pids[-1])
        other.suspend()
        try:
            started = time.monotonic()
            with clients(server, 300, b""):
                durations = [seconds_to_answer(server) for _ in range(20)]
            assert time.monotonic() - started < 15
            assert min(durations) > 0.005
        finally:
            other.resume()


def seconds_to_answer(server: Gunicorn) -> float:
    started = time.monotonic()
    assert ask(server, HEALTH).status_code == 200
    return time.monotonic() - started


@pytest.mark.parametrize("sent", [b"", HEALTH[:-20]], ids=["nothing", "half a head"])
def test_a_client_that_resets_its_connection_does_not_end_the_process(one_process, sent):
    ask(one_process, ANONYMOUS)  # Served after all that earlier tests have sent without credentials.
    log_before = one_process.log
    with clients(one_process, 5, sent) as connected:
        assert ask(one_process, HEALTH).status_code == 200  # The process waits for the rest of the others.
        for client in connected:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    pids = one_process.pids

    assert ask(one_process, HEALTH).status_code == 200
    assert one_process.pids == pids
    assert levels(one_process.log.removeprefix(log_before)) == {"INFO"}


@pytest.mark.parametrize("resets", [False, True])
def test_a_client_that_closes_its_connection_makes_room_for_another(small_process, resets):
    for _ in range(60):
        with connect(small_process, STALLED["a last request, without closing"]) as client:
            if resets:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            else:
                assert receive(client).status_code == 200

    assert ask(small_process, HEALTH).status_code == 200


def test_a_connection_ends_five_seconds_after_its_last_request(one_process):
    with (
        connect(one_process, HEALTH) as kept,
        connect(one_process, STALLED["a last request, without closing"]) as closing,
    ):
        ports = {client.getsockname()[1] for client in (kept, closing)}
        assert [receive(client).status_code for client in (kept, closing)] == [200, 200]
        answered = time.monotonic()

        assert becomes_true(lambda: not ports <= connected_to(one_process.pids[1]))
        assert time.monotonic() - answered > 4
        assert becomes_true(lambda: not ports & connected_to(one_process.pids[1]))
        assert time.monotonic() - answered < 9


def test_a_process_that_ends_is_replaced_however_often():
    with Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, GUNICORN_CMD_ARGS=HASTY) as server:
        for number in range(2, 12):  # There is room for eight.
            os.kill(server.pids[-1], signal.SIGKILL)
            assert becomes_true(lambda: len(server.pids) > number or not is_running(server.pids[0]))  # noqa: B023
            assert is_running(server.pids[0])

        assert ask(server, HEALTH).status_code == 200


def test_a_process_is_replaced_when_it_has_not_responded_for_sixty_seconds():
    with Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, WEB_CONCURRENCY="2") as server:
        assert becomes_true(lambda: server.log.count("Worker ready") == 2)
        slow, dead = (psutil.Process(pid) for pid in server.pids[1:])
        try:
            for process, seconds in ((slow, 30), (dead, 61)):
                process.suspend()
                responded_at = time.monotonic() - seconds
                os.utime(heartbeat_of(process.pid), (responded_at, responded_at))

            assert becomes_true(lambda: server.log.count("Worker ready") == 3)
            assert re.findall(r"WORKER TIMEOUT \(pid:(\d+)\)", server.log) == [str(dead.pid)]
        finally:
            slow.resume()


def heartbeat_of(pid: int) -> Path:
    """The file whose time of modification gunicorn's master looks at."""
    files = Path(f"/proc/{pid}/fd").iterdir()
    return next(file for file in files if "wgunicorn-" in str(file.readlink()))


def connected_to(pid: int) -> set[int]:
    """The ports of the clients that are connected to a process."""
    return {each.raddr.port for each in psutil.Process(pid).net_connections("tcp") if each.raddr}


def test_the_next_request_of_a_connection_waits_after_a_429_response():
    with (
        Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, RATE_LIMIT_ANONYMOUS="1/hour") as server,
        connect(server, API_ROOT) as client,
    ):
        assert receive(client).status_code == 200
        for _ in range(3):
            client.sendall(API_ROOT)
            assert receive(client).status_code == 429
            refused_at = time.monotonic()
            client.sendall(HEALTH)
            assert receive(client).status_code == 200
            assert time.monotonic() - refused_at >= 0.015
        started = time.monotonic()
        client.sendall(API_ROOT * 4)
        assert [receive(client).status_code for _ in range(4)] == [429] * 4
        assert time.monotonic() - started >= 0.055
