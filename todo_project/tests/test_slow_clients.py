"""Clients that are silent, slow or many hold no thread and delay no other request."""

import contextlib
import select
import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.support.processes import TIMEOUT, becomes_true
from tests.support.raw_http import HOST, ask, json_request, receive, request
from tests.support.run_app import MEMORY
from tests.support.servers.gunicorn import Gunicorn

pytestmark = pytest.mark.own_servers

HEALTH = request("GET /healthz")
POST = "POST /api/v1/auth/token"
LARGE_FILE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
JSON = "Content-Type: application/json"

STALLED: dict[str, bytes] = {
    "nothing": b"",
    "half a head": HEALTH[:-20],
    "half a body": json_request('{"email": "a"}', to=POST)[:-5],
    "half a chunked body": request(POST, JSON, "Transfer-Encoding: chunked", body=b"9\r\n{"),
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
    assert time.monotonic() - started < 5


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
        while dripping and time.monotonic() - started < 20:
            closed, _, _ = select.select([*dripping], [], [], 0.5)
            for client in closed:
                ended[dripping.pop(client)] = time.monotonic() - started
            for client in dripping:
                with contextlib.suppress(ConnectionError):
                    client.sendall(b"x")

    assert {name for name, seconds in ended.items() if not 9 < seconds < 13} == set()


def test_a_client_that_does_not_read_its_response_is_disconnected(one_process):
    with contextlib.ExitStack() as stack:
        for _ in range(4):  # one for each thread
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", one_process.port))
            client.sendall(request(f"GET {LARGE_FILE}") * 10)  # more than the kernel holds

        assert becomes_true(lambda: one_process.log.count("A client was too slow") == 4)


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


def test_more_silent_connections_than_a_process_accepts_delay_no_request():
    few = "--worker-connections 50"
    with Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, GUNICORN_CMD_ARGS=few) as server:
        with clients(server, 200, b""):
            started = time.monotonic()
            answer = ask(server, HEALTH)

        assert answer.status_code == 200
        assert time.monotonic() - started < 5


def test_clients_that_keep_their_connections_spread_over_the_processes():
    with Gunicorn(DATABASE_URL=MEMORY, ALLOWED_HOSTS=HOST, WEB_CONCURRENCY="2") as server:

        def connections() -> list[int]:
            return [connections_of(pid, server.port) for pid in server.pids[1:]]

        with contextlib.ExitStack() as stack:
            while len(connections()) < 2 or not all(connections()):  # until both processes serve
                receive(stack.enter_context(connect(server, HEALTH)))
        assert becomes_true(lambda: connections() == [0, 0])

        with clients(server, 16, HEALTH) as connected:
            for client in connected:
                assert receive(client).status_code == 200

            assert sum(connections()) == 16
            assert min(connections()) >= 4


def connections_of(pid: int, port: int) -> int:
    established = [
        each for each in psutil.Process(pid).net_connections("tcp") if each.status == "ESTABLISHED"
    ]
    return sum(each.laddr.port == port for each in established)
