"""A server with a read replica, and users who know exactly what each of their reads has to return."""

import contextlib
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg

from .follower import Follower
from .processes import TIMEOUT, becomes_true
from .raw_http import Answer
from .servers.gunicorn import Gunicorn, manage
from .servers.postgres import Postgres, Standby

API = "/api/v1"
METRICS_TOKEN = "a token for the metrics of the replica"
USERS = 4
MAX_TASKS = 20
"""Of a user, so that all fit on a page."""

METRIC = 'todo_replica_reads_total{{outcome="{}"}}'
OUTCOMES = ("served", "behind", "failed")
Fault = contextlib.AbstractContextManager[None]


class Stack:
    """gunicorn, a PostgreSQL and its standby."""

    def __init__(self, **settings: str) -> None:
        self.settings = settings

    def __enter__(self) -> "Stack":
        with contextlib.ExitStack() as on_failure:
            self.postgres = on_failure.enter_context(Postgres())
            manage(self.postgres.url, "migrate", "--verbosity", "0")
            self.standby = on_failure.enter_context(Standby(self.postgres))
            on_failure.callback(self.standby.resume)
            urls = {"DATABASE_URL": self.postgres.url, "DATABASE_REPLICA_URL": self.standby.url}
            self.gunicorn = on_failure.enter_context(
                Gunicorn(**urls, METRICS_TOKEN=METRICS_TOKEN, WEB_THREADS="12", **self.settings)
            )
            self.servers = on_failure.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.servers.close()

    def outcomes(self) -> Counter[str]:
        """How many reads the replica has served, and how many it has not, by the reason."""
        metrics = self.metrics()
        return Counter({outcome: int(metrics.get(METRIC.format(outcome), 0)) for outcome in OUTCOMES})

    def metrics(self) -> dict[str, float]:
        """The values by their names with labels."""
        text = request(self.gunicorn, "GET", "/metrics", METRICS_TOKEN).content.decode()
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def wait_until_served(self) -> None:
        """Wait until the replica serves a read."""
        session = sign_up(self.gunicorn, Result())
        session("POST", "/labels", {"name": "new"})

        def is_served() -> bool:
            before = self.outcomes()["served"]
            session.get("/labels")
            return self.outcomes()["served"] > before

        assert becomes_true(is_served)


def request(
    server: Gunicorn, method: str, path: str, token: str = "", body: Any = None, **headers: str
) -> Answer:
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    with contextlib.closing(connection):
        connection.request(method, path, body and json.dumps(body), headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


@dataclass
class Result:
    reads: int = 0
    stale: int = 0
    """Reads without an acknowledged write, or that differ from what was written."""
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def errors(self) -> int:
        return sum(number for status, number in self.statuses.items() if not 200 <= status < 300)

    @property
    def share(self) -> float:
        """Of the reads that a replica may serve, how many it has served."""
        return self.outcomes["served"] / max(1, self.outcomes.total())


class Session:
    """A signed-in user."""

    def __init__(self, server: Gunicorn, result: Result, token: str = "") -> None:
        self.server, self.result, self.token = server, result, token
        self.task: Any = None

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        started = time.monotonic()
        answer = request(self.server, method, API + path, self.token, body, **headers)
        self.result.slowest = max(self.result.slowest, time.monotonic() - started)
        self.result.statuses[answer.status_code] += 1
        self.result.reads += method == "GET"
        return answer

    def get(self, path: str) -> Any:
        return self("GET", path).json()


def sign_up(server: Gunicorn, result: Result) -> Session:
    """A session of a new user."""
    session = Session(server, result)
    credentials = {"email": f"{random.getrandbits(64):x}@example.com", "password": "correct horse battery"}
    session("POST", "/auth/register", credentials)
    session.token = session("POST", "/auth/token", credentials).json()["access"]
    return session


class Writer:
    """The only one who writes for a user, and reads after each write."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.tasks: dict[str, dict[str, Any]] = {}
        self.follower = Follower(session, limit=200)

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.write()
            self.session.result.stale += not random.choice(self.CHECKS)(self)

    def write(self) -> None:
        title = {"title": f"{random.getrandbits(64):x}"}
        if len(self.tasks) < MAX_TASKS:
            answer = self.session("POST", "/tasks", title)
        else:
            answer = self.session("PATCH", f"/tasks/{random.choice([*self.tasks])}", title)
        self.tasks[answer.json()["id"]] = answer.json()

    def sees_one(self) -> bool:
        task = random.choice([*self.tasks.values()])
        return bool(self.session.get(f"/tasks/{task['id']}") == task)

    def sees_page(self) -> bool:
        found = self.session.get("/tasks?limit=200")["results"]
        return {task["id"]: task for task in found} == self.tasks

    def sees_search(self) -> bool:
        task = random.choice([*self.tasks.values()])
        return bool(self.session.get(f"/tasks?q={task['title']}")["results"] == [task])

    def sees_stats(self) -> bool:
        return bool(self.session.get("/tasks/stats")["open"] == len(self.tasks))

    def sees_changes(self) -> bool:
        while self.follower.step():
            pass
        return follows(self.follower, self.tasks)

    CHECKS = (sees_one, sees_page, sees_search, sees_stats, sees_changes)


def follows(follower: Follower, tasks: dict[str, dict[str, Any]]) -> bool:
    """Whether the copy has exactly these tasks, and was made without a restart."""
    return follower.resyncs == 0 and follower.copy == {
        id_: {"kind": "task", **task} for id_, task in tasks.items()
    }


@contextlib.contextmanager
def between(begin: Callable[[], None], end: Callable[[], None]) -> Iterator[None]:
    begin()
    try:
        yield
    finally:
        end()


def no_fault(stack: Stack) -> Fault:
    return contextlib.nullcontext()


def replay_paused(stack: Stack) -> Fault:
    return between(stack.standby.pause, stack.standby.proceed)


def killed(stack: Stack) -> Fault:
    return between(stack.standby.kill, stack.standby.start)


def suspended(stack: Stack) -> Fault:
    return between(stack.standby.suspend, stack.standby.resume)


@contextlib.contextmanager
def restarted(stack: Stack) -> Iterator[None]:
    stack.standby.stop()
    stack.standby.start()
    yield


@contextlib.contextmanager
def connections_terminated(stack: Stack) -> Iterator[None]:
    stack.standby.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    yield


@contextlib.contextmanager
def conflict_with_recovery(stack: Stack) -> Iterator[None]:
    """The standby cancels queries of a table that the primary rewrites."""
    with (
        stack.standby.configured("max_standby_streaming_delay", "0"),
        psycopg.connect(stack.postgres.url, autocommit=True) as connection,
    ):
        for _ in range(50):
            connection.execute("VACUUM FULL tasks_task")
    yield


def promoted(stack: Stack) -> Fault:
    """And written to: the versions there are then others than those of the primary."""

    def promote() -> None:
        stack.standby.execute("SELECT pg_promote()")
        stack.standby.execute("UPDATE ledger_clock SET tick = tick + 1 RETURNING tick")

    return between(promote, stack.standby.recreate)


FAULTS: dict[str, Callable[[Stack], Fault]] = {
    "none": no_fault,
    "replay paused": replay_paused,
    "kill -9": killed,
    "suspended": suspended,
    "restarted": restarted,
    "connections terminated": connections_terminated,
    "conflict with recovery": conflict_with_recovery,
    "promoted and written to": promoted,
}


def try_fault(stack: Stack, name: str, *, seconds: float = 1.0) -> Result:
    """Let users write, read and follow before, during and after a fault."""
    stack.wait_until_served()
    result, before = Result(), stack.outcomes()
    sessions = [sign_up(stack.gunicorn, result) for _ in range(USERS)]
    writers = [Writer(session) for session in sessions]
    followers = [Follower(Session(stack.gunicorn, result, session.token), limit=50) for session in sessions]
    stop_writing, stop_following = threading.Event(), threading.Event()
    with ThreadPoolExecutor(2 * USERS) as pool:
        following = [pool.submit(each.follow, stop_following) for each in followers]
        writing = [pool.submit(each.run, stop_writing) for each in writers]
        try:
            time.sleep(seconds)
            with FAULTS[name](stack):
                time.sleep(seconds)
            time.sleep(seconds)
        finally:
            stop_writing.set()
            for each in writing:
                each.exception(TIMEOUT)
            stop_following.set()
    for each in [*writing, *following]:
        each.result(0)
    for writer, follower in zip(writers, followers, strict=True):
        result.stale += not follows(follower, writer.tasks)
    result.outcomes = stack.outcomes() - before
    return result


def table(results: dict[str, Result]) -> str:
    columns = [
        "fault",
        "reads",
        "stale answers",
        "errors",
        "served by the replica",
        "behind",
        "failed",
        "slowest",
    ]
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    for name, each in results.items():
        counts = each.outcomes
        lines.append(
            f"| {name} | {each.reads} | {each.stale} | {each.errors} | {each.share:.0%} "
            f"| {counts['behind']} | {counts['failed']} | {each.slowest:.1f} s |"
        )
    return "\n".join(lines)
