"""Requests get 503 while the database is down, and succeed as soon as it is back."""

import contextlib
import json
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest

from tests.support.assertions import assert_error
from tests.support.processes import becomes_true
from tests.support.raw_http import HOST, VALID_REQUEST, Answer, ask, json_request, request
from tests.support.run_app import SERVED
from tests.support.servers.gunicorn import Gunicorn
from tests.support.servers.postgres import Postgres

pytestmark = pytest.mark.own_servers


def sign_in(server: Gunicorn) -> Answer:
    """Sign in to the admin with a wrong password."""
    token = (ask(server, request("GET /admin/login/"))["Set-Cookie"] or "").split(";")[0].split("=")[-1]
    form = urlencode({"csrfmiddlewaretoken": token, "username": "eve@example.com", "password": "a guess"})
    kind = "application/x-www-form-urlencoded"
    return ask(server, json_request(form, f"Cookie: csrftoken={token}", to="POST /admin/login/", kind=kind))


USES: dict[str, Callable[[Gunicorn], Answer]] = {
    "/healthz": lambda server: ask(server, request("GET /healthz")),
    "/readyz": lambda server: ask(server, request("GET /readyz")),
    "a list": lambda server: ask(server, VALID_REQUEST),
    "a write": lambda server: ask(server, json_request(json.dumps({"title": uuid.uuid4().hex[:20]}))),
    "the admin": sign_in,
}
HEALTHY = {"/healthz": 200, "/readyz": 200, "a list": 200, "a write": 201, "the admin": 200}


def use(server: Gunicorn) -> dict[str, Answer]:
    return {name: way(server) for name, way in USES.items()}


def statuses(answers: dict[str, Answer]) -> dict[str, int]:
    return {name: answer.status_code for name, answer in answers.items()}


@contextlib.contextmanager
def callers(server: Gunicorn, *ways: str) -> Iterator[list[Answer]]:
    """Send requests without pause during the block; yield the list of their responses."""
    answers: list[Answer] = []
    over = threading.Event()

    def call(way: str) -> None:
        while not over.is_set():
            answers.append(USES[way](server))

    with ThreadPoolExecutor(len(ways)) as pool:
        calls = [pool.submit(call, way) for way in ways]
        try:
            yield answers
        finally:
            over.set()
        for each in calls:
            each.result()


@dataclass
class Outage:
    before: dict[str, Answer]
    during: dict[str, Answer]
    after: dict[str, Answer]
    meanwhile: list[Answer]
    concurrent: list[Answer]
    """Enough concurrent requests to use every thread."""
    concurrent_after_restart: list[Answer]
    pids: list[list[int]]


@pytest.fixture(scope="module")
def two_processes(postgres: Postgres) -> Iterator[Gunicorn]:
    # Half of the threads of a process are enough for callers(), which all are the same user.
    processes = {"WEB_CONCURRENCY": "2", "WEB_THREADS": "10"}
    with Gunicorn(settings=SERVED, DATABASE_URL=postgres.url, ALLOWED_HOSTS=HOST, **processes) as server:
        yield server


@pytest.fixture(scope="module", params=["stop", "kill"])
def outage(request: pytest.FixtureRequest, postgres: Postgres, two_processes: Gunicorn) -> Outage:
    """Stop or kill the database during requests, and start it again."""
    server = two_processes
    before, pids_before = use(server), server.pids
    with callers(server, "a list", "a list", "a list", "a write", "a write") as meanwhile:
        assert becomes_true(lambda: len(meanwhile) > 50)
        getattr(postgres, request.param)()
        during = use(server)
        postgres.start()
        after = use(server)
    concurrent = many(server)
    getattr(postgres, request.param)()
    postgres.start()
    after_restart = many(server)
    return Outage(before, during, after, meanwhile, concurrent, after_restart, [pids_before, server.pids])


def many(server: Gunicorn) -> list[Answer]:
    with ThreadPoolExecutor(30) as pool:
        return list(pool.map(lambda _: ask(server, request("GET /readyz")), range(60)))


def test_all_requests_succeed_before_an_outage(outage):
    assert statuses(outage.before) == HEALTHY


def test_the_liveness_probe_succeeds_without_a_database(outage):
    assert outage.during["/healthz"].status_code == 200


@pytest.mark.parametrize("way", ["/readyz", "a list", "a write"])
def test_a_request_without_a_database_is_503_with_retry_after(outage, way):
    assert_error(outage.during[way], 503, "SERVICE_UNAVAILABLE")
    assert int(outage.during[way]["Retry-After"]) > 0


def test_the_admin_without_a_database_is_503_in_html(outage):
    answer = outage.during["the admin"]

    assert answer.status_code == 503
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert b"</html>" in answer.content


def test_every_request_during_an_outage_succeeds_or_is_503(outage):
    failed = [answer for answer in outage.meanwhile if answer.status_code not in {200, 201}]

    assert failed
    for answer in failed:
        assert_error(answer, 503, "SERVICE_UNAVAILABLE")


def test_the_first_request_after_an_outage_succeeds(outage):
    assert statuses(outage.after) == HEALTHY


def test_every_thread_of_every_process_works_after_an_outage(outage):
    assert {answer.status_code for answer in outage.concurrent} == {200}


def test_no_request_fails_after_a_restart_of_the_database_between_requests(outage):
    assert {answer.status_code for answer in outage.concurrent_after_restart} == {200}


def test_no_process_restarts_because_of_an_outage(outage):
    before, after = outage.pids
    assert len(before) == 3
    assert after == before


def test_a_request_tries_to_connect_only_once_to_a_database_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://todo@127.0.0.1:{silent.getsockname()[1]}/todo?connect_timeout=2"
        with Gunicorn(settings=SERVED, DATABASE_URL=url, ALLOWED_HOSTS=HOST) as server:
            answer = ask(server, VALID_REQUEST)
        attempts = 0
        silent.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                silent.accept()[0].close()
                attempts += 1

    assert_error(answer, 503, "SERVICE_UNAVAILABLE")
    assert attempts == 1
