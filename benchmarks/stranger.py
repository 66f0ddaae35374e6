#!/usr/bin/env python3
"""Measure how long a user waits for a page of 50 tasks while another one sends expensive requests.

    python benchmarks/stranger.py
    python benchmarks/stranger.py --connections 32 --seconds 10 "search"

Starts PostgreSQL and gunicorn with two processes, and fills the database: one user has 100,000 tasks, one has
100,000 in the trash, and the stranger has 200. Each request is repeated on all connections without a rate
limit. Prints its median time, and the stranger's median and 95th percentile without and beside it.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import statistics
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tasks import positions
from tests.support.servers.gunicorn import DEFAULTS, Gunicorn
from tests.support.servers.postgres import Postgres

API = "/api/v1"
QUOTA = 100_000
STRANGER, OWNER, HOARDER = "stranger@example.com", "owner@example.com", "hoarder@example.com"
"""The users with 200 tasks, with 100,000, and with 100,000 in the trash."""

FILL = f"""
INSERT INTO tasks_task (
    id, owner_id, title, description, completed, completed_at, priority, due_at, created_at, updated_at,
    deleted_at, version, position, labels
)
SELECT
    gen_random_uuid(), %(owner)s, words(n, 6), words(n + 7, %(words)s), n %% 2 = 0,
    CASE WHEN n %% 2 = 0 THEN now() END, n %% 3,
    CASE WHEN n %% 4 = 0 THEN now() + n * interval '1 minute' END, now() - n * interval '1 minute',
    now() - n * interval '1 minute', CASE WHEN %(trashed)s THEN now() END, n,
    {positions.last_in_sql("n::bigint")}, '[]'
FROM generate_series(1, %(number)s) AS n
"""
WORDS = """
CREATE FUNCTION words(seed int, number int) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg((ARRAY['buy','milk','bread','call','station','nation','meeting','report','garden',
        'letter','ticket','train','window','paper','morning','evening'])[1 + hashint4(seed * 1000 + n) & 15],
        ' ')
    FROM generate_series(1, number) AS n
$$
"""


@dataclass
class Load:
    """Requests of one user, the same on all connections."""

    path: str
    method: str = "GET"
    body: Callable[[], Any] | None = None
    user: str = OWNER
    waits: bool = True
    """Whether clients wait as long as Retry-After says."""


@dataclass
class Result:
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


def loads(ids: list[str]) -> dict[str, Load]:
    def bulk(op: str, **more: Any) -> dict[str, Any]:
        return {"operations": [{"op": op, "id": each, **more} for each in ids]}

    words = "milk bread call station nation meeting report garden letter ticket train window paper " * 3
    searches = {
        "q of one letter": "e",
        "q of one letter, nothing found": "z",
        "q of one Chinese character": "%E6%BC%A2",
        "q of two letters, nothing found": "zq",
        "q of three letters": "ing",
        "q of three letters, nothing found": "zqx",
        "q of common words, nothing found": "station+nation+station+nation+station+nation+x",
        "q of 200 characters": words[:200].replace(" ", "+"),
        "q of %": "%25",
        "q of _": "_",
    }
    lists = {
        "limit=200": "limit=200",
        "limit=200&fields=id": "limit=200&fields=id",
        "ids": f"ids={','.join(ids)}",
        **{
            f"nothing found, ordering={name}": f"starts_until=1990-01-01&ordering={name}"
            for name in ("created_at", "updated_at", "due", "priority", "-title")
        },
        "due_from, nothing found": "due_from=2999-01-01",
        "due_until, nothing found": "due_until=1990-01-01",
        "due_before, nothing found": "due_before=1990-01-01T00:00:00Z",
        "created_before, nothing found, ordering=due": "created_before=1990-01-01T00:00:00Z&ordering=due",
        "updated_after, nothing found": "updated_after=2999-01-01T00:00:00Z",
        "overdue=false&ordering=title": "overdue=false&ordering=title",
    }
    return {
        "one task a page": Load("/tasks?limit=1"),
        "one task a page, ignoring Retry-After": Load("/tasks?limit=1", waits=False),
        **{f"search: {name}": Load(f"/tasks?q={text}") for name, text in searches.items()},
        "search: q of one letter, ordering=title": Load("/tasks?q=e&ordering=title"),
        "search: in the trash, nothing found": Load("/trash?q=zq", user=HOARDER),
        **{f"list: {name}": Load(f"/tasks?{query}") for name, query in lists.items()},
        "list: limit=200 of the trash": Load("/trash?limit=200", user=HOARDER),
        "sync?since=0&limit=500": Load("/sync?since=0&limit=500"),
        "stats": Load("/tasks/stats"),
        "export": Load("/me/export"),
        "bulk of 100 updates": Load("/bulk", "POST", lambda: bulk("update", data={"priority": 2})),
        "bulk of 100 new titles": Load(
            "/bulk", "POST", lambda: bulk("update", data={"title": uuid.uuid4().hex})
        ),
        "bulk of 100 deletions, dry run": Load("/bulk?dry_run=true", "POST", lambda: bulk("delete")),
        "empty the trash, dry run": Load("/trash?dry_run=true", "DELETE", user=HOARDER),
        "empty the trash": Load("/trash", "DELETE", user=HOARDER),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("requests", nargs="*", metavar="REQUEST", help="parts of names (default: all)")
    parser.add_argument("--connections", type=int, default=16, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4, help="of each request (default: %(default)s)")
    parser.add_argument("--words", type=int, default=60, help="in a description (default: %(default)s)")
    options = parser.parse_args()
    with Postgres() as postgres:
        tokens, ids = fill(postgres.url, options.words)
        with Gunicorn(DATABASE_URL=postgres.url, WEB_CONCURRENCY="2") as server:
            print(f"{'':52}{'own time':>9}{'stranger, ms':>22}{'ratio':>12}  statuses")
            print(f"{'':52}{'median':>9}{'alone':>8}{'median':>7}{'p95':>7}{'median':>6}{'p95':>6}")
            for name, load in loads(ids).items():
                if not options.requests or any(part in name for part in options.requests):
                    print(row(name, load, server.port, tokens, options), flush=True)


def row(name: str, load: Load, port: int, tokens: dict[str, str], options: argparse.Namespace) -> str:
    alone = measure(port, tokens[STRANGER], options.seconds)
    queue: Any = multiprocessing.Queue()
    arguments = (load, port, tokens[load.user], options, queue)
    # Another process, so that the stranger's times do not contain those of the other clients.
    client = multiprocessing.Process(target=send, args=arguments)
    client.start()
    time.sleep(0.5)
    beside = measure(port, tokens[STRANGER], options.seconds)
    result: Result = queue.get(timeout=60)
    client.join()
    own = statistics.median(result.seconds) * 1000 if result.seconds else float("nan")
    before, median = statistics.median(alone), statistics.median(beside)
    p95_before, p95 = (statistics.quantiles(times, n=20)[18] for times in (alone, beside))
    statuses = " ".join(f"{status}:{number}" for status, number in sorted(result.statuses.items()))
    return (
        f"{name[:51]:52}{own:9.1f}{before:8.1f}{median:7.1f}{p95:7.1f}"
        f"{median / before:6.1f}{p95 / p95_before:6.1f}  {statuses}"
    )


def measure(port: int, token: str, seconds: float) -> list[float]:
    """The stranger's milliseconds for a page, each on a new connection, so that both processes get some."""
    times: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 2:
        started = time.perf_counter()
        status, _ = ask(connect(port), Load("/tasks"), token)
        assert status == 200, status
        times.append((time.perf_counter() - started) * 1000)
        time.sleep(0.01)
    return times


def send(load: Load, port: int, token: str, options: argparse.Namespace, queue: Any) -> None:
    result, end = Result(), time.monotonic() + options.seconds + 0.5

    def repeat() -> None:
        connection = connect(port)
        while time.monotonic() < end:
            started = time.perf_counter()
            status, retry_after = ask(connection, load, token)
            result.statuses[status] += 1
            if status < 300 or status == 504:
                result.seconds.append(time.perf_counter() - started)
            elif load.waits and retry_after:
                time.sleep(min(retry_after, max(0, end - time.monotonic())))

    threads = [threading.Thread(target=repeat) for _ in range(options.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.put(result)


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def ask(connection: http.client.HTTPConnection, load: Load, token: str) -> tuple[int, int]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps(load.body()) if load.body else None
    connection.request(load.method, API + load.path, body, headers)
    with connection.getresponse() as response:
        response.read()
        return response.status, int(response.headers["Retry-After"] or 0)


def fill(url: str, words: int) -> tuple[dict[str, str], list[str]]:
    """Each user's token, and the IDs of a hundred tasks of the owner."""
    os.environ |= {
        **DEFAULTS,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "todo_project.settings",
    }
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection

    from tasks.ledger.models import Clock
    from tasks.models import Task
    from tests.support.caller import signed_in

    call_command("migrate", verbosity=0)
    tokens = {}
    with connection.cursor() as cursor:
        cursor.execute(WORDS)
        for email, number, trashed in [(STRANGER, 200, False), (OWNER, QUOTA, False), (HOARDER, QUOTA, True)]:
            user = get_user_model().objects.create_user(email)
            cursor.execute(FILL, {"owner": user.pk, "number": number, "trashed": trashed, "words": words})
            states = {"trashed": number} if trashed else {"open": number // 2, "completed": number // 2}
            Clock.objects.create(owner=user, tick=number, counts={"task": states})
            tokens[email] = str(signed_in(user).token)
        cursor.execute("VACUUM ANALYZE tasks_task")
        tasks = Task.objects.filter(owner__email=OWNER).order_by("version")
        ids = [str(each) for each in tasks.values_list("id", flat=True)[:100]]
    connection.close()
    return tokens, ids


if __name__ == "__main__":
    main()
