"""Metrics for Prometheus: the values of all processes, for the holder of METRICS_TOKEN only."""

import contextlib
import os
import re
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.assertions import assert_error
from tests.support.processes import TIMEOUT, becomes_true
from tests.support.raw_http import HOST, ask, receive, request
from tests.support.run_app import MEMORY, SERVED, run_program
from tests.support.servers.gunicorn import ROOT, Gunicorn
from todo_project import __version__

pytestmark = pytest.mark.own_servers

TOKEN = "a token for the tests of metrics only"
PROCESSES = 2


class Server(Gunicorn):
    def __init__(self, url, **changes):
        super().__init__(
            settings=SERVED,
            DATABASE_URL=url,
            ALLOWED_HOSTS=HOST,
            WEB_CONCURRENCY=str(PROCESSES),
            METRICS_TOKEN=TOKEN,
            **changes,
        )

    def options(self):
        """With the metrics in this server's folder."""
        options = super().options()
        return {**options, "env": {**options["env"], "TMPDIR": str(self.folder)}}

    def is_ready(self):
        return super().is_ready() and self.log.count("Worker ready") == PROCESSES

    def directories(self):
        return sorted(self.folder.glob("todo-metrics-*"))


@pytest.fixture(scope="module")
def server(postgres):
    with Server(postgres.url) as server:
        yield server


def scrape(server, *, token=TOKEN, host="10.1.2.3:8000"):
    """As Prometheus does: by IP address, with the token."""
    head = f"GET /metrics HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
    return ask(server, head.encode())


def values(server):
    """Each sample by its name and its labels in the order of their names."""
    response = scrape(server)
    assert response.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def change(server, action):
    """How much each value has grown."""
    before = values(server)
    action()
    return {name: value - before.get(name, 0) for name, value in values(server).items()}


def test_counters_add_up_over_all_processes(server):
    requests = 0

    def read_until_each_process_has_responded():
        nonlocal requests
        with contextlib.ExitStack() as connections:
            while requests < 10 or not each_process_has_counted():
                assert requests < 500, "one process serves all requests"
                client = socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT)
                connections.enter_context(client).sendall(request("GET /api/v1/notes"))
                assert receive(client).status_code == 200
                requests += 1

    def each_process_has_counted():
        files = [*server.directories()[0].glob("counter_*.db")]
        return sum(b"/api/v1/notes" in file.read_bytes() for file in files) == PROCESSES

    grown = change(server, read_until_each_process_has_responded)

    assert grown["todo_requests_total", "GET", "/api/v1/notes", "200"] == requests
    assert len({values(server)["todo_requests_total", "GET", "/api/v1/notes", "200"] for _ in range(8)}) == 1


def test_a_request_is_timed_and_so_are_its_statements(server):
    grown = change(server, lambda: ask(server, request("GET /api/v1/notes")))

    labels = ("GET", "/api/v1/notes")
    assert grown["todo_request_duration_seconds_count", *labels] == 1
    assert 0 < grown["todo_request_duration_seconds_sum", *labels] < 60
    assert grown["todo_request_duration_seconds_bucket", "+Inf", *labels] == 1
    assert grown["todo_database_statements_total", *labels] >= 1
    seconds = grown["todo_database_seconds_total", *labels]
    assert 0 < seconds < grown["todo_request_duration_seconds_sum", *labels]


@pytest.mark.parametrize(
    ("path", "route", "status", "code"),
    [
        ("/api/v1/notes?unknown=1", "/api/v1/notes", "400", "VALIDATION_ERROR"),
        ("/api/v1/plain/bug", "/api/v1/plain/<how>", "500", "INTERNAL_ERROR"),
        ("/no-such-route/a-secret", "none", "404", "NOT_FOUND"),
    ],
)
def test_an_error_is_counted_by_its_code_and_by_the_pattern_of_its_url(server, path, route, status, code):
    grown = change(server, lambda: ask(server, request(f"GET {path}")))

    assert grown["todo_errors_total", code] == 1
    assert grown["todo_requests_total", "GET", route, status] == 1
    assert b"a-secret" not in scrape(server).content


def test_an_invented_method_creates_no_series_of_its_own(server):
    grown = change(server, lambda: ask(server, request("FORGED /api/v1/notes")))

    assert grown["todo_requests_total", "other", "/api/v1/notes", "405"] == 1


def test_busy_threads_are_counted_while_they_work(server, postgres):
    with psycopg.connect(postgres.url) as blocker, ThreadPoolExecutor(1) as pool:
        blocker.execute("LOCK TABLE todo_project_note")
        answer = pool.submit(ask, server, request("GET /api/v1/notes"))
        assert becomes_true(lambda: values(server)["todo_busy_threads",] == 2)  # With the scrape itself.
        blocker.rollback()
        assert answer.result().status_code == 200

    assert becomes_true(lambda: values(server)["todo_busy_threads",] == 1)
    assert values(server)["todo_threads",] == PROCESSES * 4


def test_the_version_is_a_label(server):
    assert values(server)["todo_build_info", __version__] == 1


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], f"{TOKEN}x", "é"])
def test_without_the_token_there_are_no_metrics(server, token):
    response = scrape(server, token=token)

    assert_error(response, 401, "NOT_AUTHENTICATED")
    assert response["WWW-Authenticate"]
    assert b"todo_" not in response.content


def test_a_process_that_was_killed_leaves_its_counts_but_not_its_threads(sqlite_url):
    with Server(sqlite_url) as server:
        for _ in range(10):
            ask(server, request("GET /api/v1/notes"))
        before = values(server)["todo_requests_total", "GET", "/api/v1/notes", "200"]

        for pid in server.pids[1:]:
            os.kill(pid, signal.SIGKILL)
        assert becomes_true(lambda: server.log.count("Worker ready") == 2 * PROCESSES)

        assert becomes_true(lambda: values(server)["todo_threads",] == PROCESSES * 4)
        assert values(server)["todo_requests_total", "GET", "/api/v1/notes", "200"] == before == 10


def test_a_server_that_ends_removes_its_files(sqlite_url):
    with Server(sqlite_url) as server:
        values(server)
        before = server.directories()
        server.stop()

        assert len(before) == 1
        assert server.directories() == []


def test_metrics_are_off_unless_the_token_is_set(client):
    assert_error(client.get("/metrics"), 404, "NOT_FOUND")
    assert_error(client.get("/metrics", headers={"Authorization": "Bearer "}), 404, "NOT_FOUND")


def test_metrics_that_are_off_cost_no_import():
    code = "import sys, todo_project.wsgi; print([name for name in sys.modules if 'prometheus' in name])"

    off = run_program([sys.executable, "-c", code], DATABASE_URL=MEMORY)
    on = run_program([sys.executable, "-c", code], DATABASE_URL=MEMORY, METRICS_TOKEN=TOKEN)

    assert off.stdout == "[]\n", off.stderr
    assert "prometheus_client" in on.stdout


def test_a_short_token_prevents_the_start():
    ended = run_program([sys.executable, "manage.py", "check"], DATABASE_URL=MEMORY, METRICS_TOKEN="short")

    assert ended.returncode == 1
    assert "METRICS_TOKEN must have at least 32 characters" in ended.stderr


def test_the_operations_guide_lists_exactly_these_metrics(server):
    guide = (ROOT / "docs" / "operations.md").read_text().split("\n## Monitoring\n")[1]
    listed = set(re.findall(r"`(todo_[a-z_]+)(?:\{[a-z,]+\})?`", guide.split("\nAlert")[0]))

    names = {re.sub("_(bucket|sum|count)$", "", name) for name, *_ in values(server)}
    assert listed == names | {"todo_errors_total", "todo_replica_reads_total"}
