"""kill -9 of a worker, the server or the database loses no acknowledged write; a retry doubles none."""

import contextlib
import http.client
import json
import os
import signal
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.caller import API
from tests.support.processes import TIMEOUT, becomes_true
from tests.support.run_app import prepare
from tests.support.servers.gunicorn import Gunicorn
from tests.support.servers.postgres import Postgres

pytestmark = pytest.mark.own_servers

WRITERS, WRITES = 4, 60


@pytest.fixture(scope="module")
def postgres():
    with Postgres() as postgres:
        prepare(postgres.url)
        yield postgres


@pytest.fixture(scope="module")
def gunicorn(postgres):
    with Gunicorn(DATABASE_URL=postgres.url, WEB_CONCURRENCY="2") as gunicorn:
        yield gunicorn


class Client:
    def __init__(self, server, email):
        self.server, self.token = server, ""
        credentials = {"email": email, "password": "correct horse battery"}
        self.call("POST", "/auth/register", credentials)
        self.token = self.call("POST", "/auth/token", credentials)["access"]

    def call(self, method, path, body=None, **headers):
        headers |= {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server.url + API + path, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return json.load(response)

    def create(self, key):
        """Retry with the same key until the server acknowledges the write; return the task's id."""
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.call("POST", "/tasks", {"title": key}, **{"Idempotency-Key": key})["id"]

    def listed(self):
        path, tasks = "/tasks?limit=200", []
        while path:
            page = self.call("GET", path)
            tasks += page["results"]
            path = (page["next"] or "").partition(API)[2]
        return tasks

    def synced(self):
        since, ids = 0, set()
        while True:
            page = self.call("GET", f"/sync?since={since}")
            ids |= {change["id"] for change in page["changes"]}
            since = page["since"]
            if not page["has_more"]:
                return ids


def kill_worker(gunicorn, postgres):
    os.kill(gunicorn.pids[-1], signal.SIGKILL)


def kill_server(gunicorn, postgres):
    gunicorn.process.kill()
    assert becomes_true(lambda: is_refused(gunicorn.port))
    gunicorn.start()


def kill_database(gunicorn, postgres):
    postgres.kill()
    postgres.start()


def is_refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("crash", [kill_worker, kill_server, kill_database])
def test_a_crash_loses_no_acknowledged_write_and_a_retry_doubles_none(gunicorn, postgres, crash):
    client = Client(gunicorn, f"{crash.__name__}@example.com")
    acknowledged = {}

    def write(number):
        for index in range(WRITES):
            key = f"{number}-{index}"
            acknowledged[key] = client.create(key)

    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(write, number) for number in range(WRITERS)]
        assert becomes_true(lambda: len(acknowledged) > WRITES)
        crash(gunicorn, postgres)
        before_the_end = len(acknowledged)
        for writer in writers:
            writer.result(TIMEOUT)
    tasks = {task["title"]: task["id"] for task in client.listed()}

    assert before_the_end < WRITERS * WRITES
    assert tasks == acknowledged
    assert len(client.listed()) == len(acknowledged) == WRITERS * WRITES
    assert client.synced() == set(acknowledged.values())
    assert {key: client.create(key) for key in acknowledged} == acknowledged
    assert len(client.listed()) == WRITERS * WRITES
