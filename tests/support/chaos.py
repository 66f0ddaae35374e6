"""Faults of the server and the database under load, and what clients see of them.

Writers retry each request, with its Idempotency-Key, until it is acknowledged, so each knows exactly what its
tasks must be in the end. A follower of each user copies the sync feed meanwhile.
"""

import contextlib
import http.client
import itertools
import json
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg

from .processes import TIMEOUT, becomes_true
from .run_app import prepared_postgres
from .servers.gunicorn import Gunicorn
from .servers.pgbouncer import PgBouncer

API = "/api/v1"
USERS, WRITERS = 2, 3
EXPECTED = {409, 412, 429, 503}
"""The statuses besides 2xx that a fault may cause: they say that the client may try again."""

ABANDONED = 0.05
"""The share of writes whose client hangs up before the response."""

SILENCE = 3.0
"""Seconds of a pause or a lock: shorter than the server's deadlines."""


class Servers:
    """What clients send requests to, and what can happen to it."""

    faults: Mapping[str, Callable[[Any], None]]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as on_failure:
            self.start(on_failure.enter_context)
            self.servers = on_failure.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.servers.close()

    def start(self, enter: Callable[[Any], Any]) -> None:
        """Start each server with `enter`."""
        raise NotImplementedError

    def connect(self) -> http.client.HTTPConnection:
        raise NotImplementedError


class Stack(Servers):
    """gunicorn with two processes, PgBouncer and PostgreSQL."""

    def start(self, enter: Callable[[Any], Any]) -> None:
        self.postgres = enter(prepared_postgres())
        self.pgbouncer = enter(PgBouncer(self.postgres.url))
        urls = {"DATABASE_URL": self.pgbouncer.url, "DATABASE_URL_UNPOOLED": self.postgres.url}
        self.gunicorn = enter(Gunicorn(**urls, DATABASE_POOLER="true", WEB_CONCURRENCY="2"))

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.gunicorn.port, timeout=TIMEOUT)


def kill_worker(stack: Stack) -> None:
    os.kill(stack.gunicorn.pids[-1], signal.SIGKILL)


def kill_server(stack: Stack) -> None:
    stack.gunicorn.kill()
    stack.gunicorn.start()


def kill_master(stack: Stack) -> None:
    """Its workers notice that it is gone and release the port."""
    assert stack.gunicorn.process
    stack.gunicorn.process.kill()
    stack.gunicorn.process.wait()
    assert becomes_true(lambda: is_refused(stack.gunicorn.port))
    stack.gunicorn.start()


def restart_server(stack: Stack) -> None:
    stack.gunicorn.stop()
    stack.gunicorn.start()


def reload_server(stack: Stack) -> None:
    workers = len(stack.gunicorn.pids)
    assert stack.gunicorn.process
    stack.gunicorn.process.send_signal(signal.SIGHUP)
    assert becomes_true(lambda: len(stack.gunicorn.pids) >= workers + 2)


def kill_database(stack: Any) -> None:
    stack.postgres.kill()
    stack.postgres.start()


def restart_database(stack: Stack) -> None:
    stack.postgres.stop()
    stack.postgres.start()


def suspend_database(stack: Stack) -> None:
    stack.postgres.suspend()
    time.sleep(SILENCE)
    stack.postgres.resume()


def end_connections(stack: Stack) -> None:
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def lock_tasks(stack: Stack) -> None:
    with psycopg.connect(stack.postgres.url) as connection:
        connection.execute("LOCK TABLE tasks_task IN ACCESS EXCLUSIVE MODE")
        time.sleep(SILENCE)


def kill_pooler(stack: Stack) -> None:
    stack.pgbouncer.kill()
    stack.pgbouncer.start()


Stack.faults = {
    "kill -9 of a worker": kill_worker,
    "kill -9 of the master": kill_master,
    "kill -9 of the server": kill_server,
    "restart of the server": restart_server,
    "reload of the server": reload_server,
    "kill -9 of PostgreSQL": kill_database,
    "restart of PostgreSQL": restart_database,
    "PostgreSQL suspended": suspend_database,
    "connections terminated": end_connections,
    "table locked": lock_tasks,
    "kill -9 of PgBouncer": kill_pooler,
}


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@dataclass
class Result:
    """What tries of one fault led to."""

    tries: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    followers_differing: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    """0 for a request without a response."""
    worst_recovery: float = 0.0
    """The most seconds between two acknowledged writes."""

    @property
    def other_statuses(self) -> dict[int, int]:
        return {
            status: number
            for status, number in self.statuses.items()
            if status and status not in EXPECTED and not 200 <= status < 300
        }

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.followers_differing or self.other_statuses)


class Client:
    """A user on a connection of their own."""

    def __init__(self, servers: Servers, result: Result, token: str = "") -> None:
        self.result, self.token, self.connection = result, token, servers.connect()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the body of a response; 0 if there was none."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}", **headers}
        content = None if body is None else json.dumps(body)
        try:
            self.connection.request(method, API + path, content, headers)
            if method != "GET" and random.random() < ABANDONED:
                raise ConnectionAbortedError
            response = self.connection.getresponse()
            status, answer = response.status, json.loads(response.read() or b"null")
        except (OSError, http.client.HTTPException):
            self.connection.close()
            status, answer = 0, None
        self.result.statuses[status] += 1
        return status, answer

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Repeat a request until it succeeds."""
        key = {"Idempotency-Key": f"{random.getrandbits(128):x}"} if method == "POST" else {}
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            status, answer = self.send(method, path, body, **key)
            if 200 <= status < 300:
                return answer
            time.sleep(0.02)
        raise AssertionError(f"{method} {path} did not succeed: {status} {answer}")

    def update(self, task: dict[str, Any], **changes: Any) -> Any:
        """With If-Match, because a request that the client has given up may be served after later ones."""
        headers = {"If-Match": f'"{task["version"]}"'}
        while True:
            status, answer = self.send("PATCH", f"/tasks/{task['id']}", changes, **headers)
            if status == 200:
                return answer
            if status == 412 and changes.items() <= answer["error"]["details"]["current"].items():
                return answer["error"]["details"]["current"]  # of an earlier try
            assert status in {0, 429, 503}, (status, answer)
            time.sleep(0.02)

    def close(self) -> None:
        self.connection.close()

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        while path:
            page = self.call("GET", path)
            yield from page["results"]
            path = (page["next"] or "").partition(API)[2]


class Writer:
    """Changes only its own tasks, and remembers what was acknowledged."""

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name
        self.tasks: dict[str, dict[str, Any]] = {}
        self.acknowledged: list[float] = []

    def write(self, stop: threading.Event) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            self.write_once(number)
            self.acknowledged.append(time.monotonic())

    def write_once(self, number: int) -> None:
        title = f"{self.name} {number}"
        if number % 3 == 0 or not self.tasks:
            self.keep(self.client.call("POST", "/tasks", {"title": title}))
            return
        task = random.choice(list(self.tasks.values()))
        if number % 3 == 1:
            self.keep(self.client.update(task, description=title))
            return
        verb = "reopen" if task["completed"] else "complete"
        operations = [
            {"op": verb, "id": task["id"]},
            {"op": "create", "data": {"title": title}},
        ]
        for each in self.client.call("POST", "/bulk", {"operations": operations})["results"]:
            del each["kind"]
            self.keep(each)

    def keep(self, task: dict[str, Any]) -> None:
        self.tasks[task["id"]] = task


def follow(client: Client, stop: threading.Event) -> dict[str, Any]:
    """Copy the feed until it is read to its end after the last write."""
    copy: dict[str, Any] = {}
    since, is_last = "0", False
    while True:
        page = client.call("GET", f"/sync?since={since}&limit=50")
        copy |= {change.pop("id"): change for change in page["changes"]}
        since = page["since"]
        if is_last and not page["has_more"]:
            return copy
        is_last = is_last or stop.is_set()


def try_fault(servers: Servers, name: str, result: Result, *, seconds: float = 1.0) -> None:
    """Let writers write before, during and after a fault; then compare everything with everything."""
    result.tries += 1
    with contextlib.ExitStack() as clients:

        def client(token: str = "") -> Client:
            return clients.enter_context(contextlib.closing(Client(servers, result, token)))

        tokens = [sign_up(client()) for _ in range(USERS)]
        writers = {
            token: [Writer(client(token), f"writer {number}") for number in range(WRITERS)]
            for token in tokens
        }
        stop_writing, stop_following = threading.Event(), threading.Event()

        def acknowledged() -> int:
            return sum(len(each.acknowledged) for some in writers.values() for each in some)

        def let_write() -> None:
            """For some time, and on a busy machine for longer."""
            goal = acknowledged() + 10
            time.sleep(seconds)
            assert becomes_true(lambda: acknowledged() >= goal or any(each.done() for each in writing))

        with ThreadPoolExecutor(USERS * (WRITERS + 1)) as pool:
            following = [pool.submit(follow, client(token), stop_following) for token in tokens]
            writing = [pool.submit(each.write, stop_writing) for some in writers.values() for each in some]
            try:
                let_write()
                servers.faults[name](servers)
                let_write()
            finally:
                stop_writing.set()
                wait(writing, TIMEOUT)
                stop_following.set()
        for each in writing:
            each.result(0)
        for token, follower in zip(tokens, following, strict=True):
            compare(client(token), writers[token], follower.result(), result)


def sign_up(client: Client) -> str:
    credentials = {"email": f"{random.getrandbits(64):x}@example.com", "password": "correct horse battery"}
    client.call("POST", "/auth/register", credentials)
    token: str = client.call("POST", "/auth/token", credentials)["access"]
    return token


def compare(client: Client, writers: list[Writer], copy: dict[str, Any], result: Result) -> None:
    stored = {task["id"]: task for task in client.pages("/tasks?limit=200")}
    known = {id_: task for writer in writers for id_, task in writer.tasks.items()}
    times = sorted(at for writer in writers for at in writer.acknowledged)
    result.acknowledged += len(times)
    result.lost += sum(stored.get(id_) != task for id_, task in known.items())
    result.doubled += len(stored.keys() - known.keys())
    entries = {id_: {"kind": "task", **task} for id_, task in stored.items()}
    result.followers_differing += {id_: {**each, "id": id_} for id_, each in copy.items()} != entries
    gaps = [after - before for before, after in itertools.pairwise(times)]
    result.worst_recovery = max([result.worst_recovery, *gaps])


def table(results: dict[str, Result]) -> str:
    columns = [
        "fault", "tries", "acknowledged", "lost", "doubled", "followers differing", "other statuses",
        "worst recovery",
    ]  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    for name, each in results.items():
        other = each.other_statuses or 0
        lines.append(
            f"| {name} | {each.tries} | {each.acknowledged} | {each.lost} | {each.doubled} "
            f"| {each.followers_differing} | {other} | {each.worst_recovery:.1f} s |"
        )
    return "\n".join(lines)
