#!/usr/bin/env python3
"""Measure how long a user waits for a page of 50 tasks while another one sends expensive requests.

    python benchmarks/stranger.py
    python benchmarks/stranger.py --connections 32 --seconds 10 "search"

Starts PostgreSQL and gunicorn with two processes, and fills the database: one user has 100,000 tasks, one has
100,000 in the trash, and the stranger has 200. Each request is repeated on all connections, without a rate
limit unless --limit sets one. Prints its median time, and the stranger's median and 95th percentile without
and beside it.
"""

import argparse
import hashlib
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
MAX_RATIO = 3
OWNER, HOARDER = "owner@example.com", "hoarder@example.com"
"""The users with 100,000 tasks, and with 100,000 in the trash."""

STRANGERS = [f"stranger{number}@example.com" for number in range(10)]
"""Users with 200 tasks. They send one request each in turn, because each has a rate limit."""

OBJECTS = 500
"""The quotas of projects and labels."""

FILL = f"""
INSERT INTO tasks_task (
    id, owner_id, title, description, completed, completed_at, priority, due_at, start_date, created_at,
    updated_at, deleted_at, version, position, project_id, parent_id, series, labels
)
SELECT
    id_of('task', n), %(owner)s, words(n, 6), words(n + 7, %(words)s), n %% 2 = 0,
    CASE WHEN n %% 2 = 0 THEN now() END, n %% 3,
    CASE WHEN n %% 4 = 0 THEN now() + n * interval '1 minute' END,
    CASE WHEN n %% 5 = 0 THEN current_date + n %% 1000 - 500 END, now() - n * interval '1 minute',
    now() - n * interval '1 minute', CASE WHEN %(trashed)s THEN now() END, n,
    {positions.last_in_sql("n::bigint")},
    CASE WHEN %(labels)s > 0 AND n %% 4 = 1 THEN id_of('project', 0)
        WHEN %(labels)s > 0 AND n %% 4 = 3 THEN id_of('project', n %% {OBJECTS}) END,
    CASE WHEN n %% 2 = 0 AND n > 2 THEN id_of('task', 2) END, CASE WHEN n %% 3 = 0 THEN id_of('task', 3) END,
    (
        SELECT coalesce(json_agg(label ORDER BY label)::text, '[]')
        FROM generate_series(1, %(labels)s) AS k, id_of('label', (n + k * 7) %% {OBJECTS}) AS label
    )
FROM generate_series(1, %(number)s) AS n
"""
"""Half of the tasks are in one tree, and those of a user with labels in one project and in many others."""

ORGANISE = f"""
INSERT INTO tasks_project (id, owner_id, name, archived_at, created_at, updated_at, version, position)
SELECT
    id_of('project', n), %(owner)s, words(n, 3), CASE WHEN n %% 2 = 1 THEN now() END, now(), now(),
    {QUOTA} + 1 + n, {positions.last_in_sql("n::bigint")}
FROM generate_series(0, {OBJECTS - 1}) AS n;
INSERT INTO tasks_label (id, owner_id, name, comparable_name, created_at, updated_at, version, position)
SELECT
    id_of('label', n), %(owner)s, 'label ' || n, 'label ' || n, now(), now(),
    {QUOTA + OBJECTS} + 1 + n, {positions.last_in_sql("n::bigint")}
FROM generate_series(0, {OBJECTS - 1}) AS n
"""
LINK = """
INSERT INTO tasks_tasklabel (owner_id, task_id, label_id)
SELECT owner_id, id, label::uuid FROM tasks_task, json_array_elements_text(labels::json) AS label
"""
FUNCTIONS = """
CREATE FUNCTION id_of(kind text, n int) RETURNS uuid LANGUAGE sql AS $$ SELECT md5(kind || n)::uuid $$;
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


def id_of(kind: str, number: int) -> str:
    """The same as the function of the database."""
    return str(uuid.UUID(hashlib.md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest()))


LABELS = [id_of("label", number) for number in range(100)]
IDS = {
    "ids": ",".join(id_of("task", number) for number in range(1, 101)),
    "tree": id_of("task", 2),
    "series": id_of("task", 3),
    "project": id_of("project", 0),
    "label": LABELS[0],
    "other": LABELS[7],
    "labels": ",".join(LABELS),
    "unknown": id_of("label", -1),
}
LISTS = [f"ordering={name}" for name in ("updated_at", "-updated_at", "due", "-due", "position")] + [
    "limit=200",
    "limit=200&fields=id",
    "ids={ids}",
    "priority=3",
    "due=none",
    "completed=true&priority=3",
    "due=none&completed=false&priority=3",
    "available=false&priority=3",
    "due_from=2999-01-01",
    "due_until=1990-01-01",
    "due_before=1990-01-01T00:00:00Z",
    "created_before=1990-01-01T00:00:00Z&ordering=due",
    "updated_after=2999-01-01T00:00:00Z",
    *(
        f"starts_until=1990-01-01&ordering={name}"
        for name in ("created_at", "updated_at", "due", "priority", "-title")
    ),
    "archived=true",
    "label={label}",
    "label={labels}",
    "label={label}&label={other}",
    "label={unknown}",
    "label=none",
]
FILTERS = [
    "",
    "archived=true",
    "completed=true",
    "overdue=false",
    "due=none",
    "project=none",
    "project={project}",
    "parent=none",
    "parent={tree}",
    "root={tree}",
    "series={series}",
    "label=none",
    "label={label}",
    "label={labels}",
    "label={label}&label={other}",
    "available=true",
    "available=false",
    "starts_until=2999-01-01",
    "priority=1",
    "due_from=1990-01-01",
    "due_until=2999-01-01",
    "created_after=1990-01-01T00:00:00Z",
    "updated_after=1990-01-01T00:00:00Z",
]
"""Of many tasks. Each is measured with two orderings that have no index, and with another filter."""


def loads() -> dict[str, Load]:
    def bulk(op: str, **more: Any) -> dict[str, Any]:
        return {"operations": [{"op": op, "id": each, **more} for each in IDS["ids"].split(",")]}

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
    lists = [
        *LISTS,
        *(
            f"{each}{'&' if each else ''}ordering={name}"
            for name in ("title", "-priority")
            for each in FILTERS
        ),
        *(f"{each}&priority=3" for each in FILTERS if each and "priority" not in each),
    ]
    tree = "/tasks/{tree}"
    return {
        "one task a page": Load("/tasks?limit=1"),
        "one task a page, ignoring Retry-After": Load("/tasks?limit=1", waits=False),
        **{f"search: {name}": Load(f"/tasks?q={text}") for name, text in searches.items()},
        "search: q of one letter, ordering=title": Load("/tasks?q=e&ordering=title"),
        "search: in the trash, nothing found": Load("/trash?q=zq", user=HOARDER),
        "search: root={tree}": Load("/tasks?q=z&root={tree}"),
        **{f"list: {each}": Load(f"/tasks?{each}") for each in lists},
        "list: limit=200 of the trash": Load("/trash?limit=200", user=HOARDER),
        **{
            f"list: {kind}, limit=200": Load(f"/{kind}?limit=200&ordering=name")
            for kind in ("projects", "labels")
        },
        **{
            f"sync: {each}": Load(f"/sync?{each}")
            for each in ("limit=200", "limit=500", "limit=500&fields=title")
        },
        **{
            f"stats: {each}": Load(f"/tasks/stats?{each}")
            for each in ("", "by=project", "by=label", "by=due")
        },
        "export": Load("/me/export"),
        "bulk of 100 updates": Load("/bulk", "POST", lambda: bulk("update", data={"priority": 2})),
        "bulk of 100 new titles": Load(
            "/bulk", "POST", lambda: bulk("update", data={"title": uuid.uuid4().hex})
        ),
        "bulk of 100 deletions, dry run": Load("/bulk?dry_run=true", "POST", lambda: bulk("delete")),
        "dry run: delete a tree": Load(f"{tree}?dry_run=true", "DELETE"),
        "dry run: complete a tree": Load(f"{tree}/complete?dry_run=true", "POST"),
        "dry run: reopen a tree": Load(f"{tree}/reopen?dry_run=true", "POST"),
        "dry run: delete a project": Load("/projects/{project}?dry_run=true", "DELETE"),
        "dry run: delete a label": Load("/labels/{label}?dry_run=true", "DELETE"),
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
    parser.add_argument("--labels", type=int, default=10, help="of a task (default: %(default)s)")
    parser.add_argument("--limit", default="off", help="rate limit, such as 600/minute (default: none)")
    options = parser.parse_args()
    ratios: dict[str, float] = {}
    with Postgres() as postgres:
        tokens = fill(postgres.url, options)
        with Gunicorn(
            DATABASE_URL=postgres.url, WEB_CONCURRENCY="2", RATE_LIMIT_USER=options.limit
        ) as server:
            print(f"{'':52}{'own time':>9}{'stranger, ms':>22}{'ratio':>12}  statuses")
            print(f"{'':52}{'median':>9}{'alone':>8}{'median':>7}{'p95':>7}{'median':>6}{'p95':>6}")
            for name, load in loads().items():
                if not options.requests or any(part in name for part in options.requests):
                    if options.limit != "off":
                        time.sleep(60 - time.time() % 60)  # until the next window of a limit per minute
                    line, ratios[name] = row(name, load, server.port, tokens, options)
                    print(line, flush=True)
    print(
        f"Median ratio above {MAX_RATIO}:",
        *(f"{each} ({ratios[each]:.1f})" for each in ratios if ratios[each] > MAX_RATIO),
        sep="\n",
    )


def row(
    name: str, load: Load, port: int, tokens: dict[str, str], options: argparse.Namespace
) -> tuple[str, float]:
    alone = measure(port, tokens, options.seconds)
    queue: Any = multiprocessing.Queue()
    arguments = (load, port, tokens[load.user], options, queue)
    # Another process, so that the stranger's times do not contain those of the other clients.
    client = multiprocessing.Process(target=send, args=arguments)
    client.start()
    time.sleep(0.5)
    beside = measure(port, tokens, options.seconds)
    result: Result = queue.get(timeout=60)
    client.join()
    own = statistics.median(result.seconds) * 1000 if result.seconds else float("nan")
    before, median = statistics.median(alone), statistics.median(beside)
    p95_before, p95 = (statistics.quantiles(times, n=20)[18] for times in (alone, beside))
    statuses = " ".join(f"{status}:{number}" for status, number in sorted(result.statuses.items()))
    line = (
        f"{name[:51]:52}{own:9.1f}{before:8.1f}{median:7.1f}{p95:7.1f}"
        f"{median / before:6.1f}{p95 / p95_before:6.1f}  {statuses}"
    )
    return line, median / before


def measure(port: int, tokens: dict[str, str], seconds: float) -> list[float]:
    """A stranger's milliseconds for a page, each on a new connection, so that both processes get some."""
    times: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 2:
        started = time.perf_counter()
        status, _ = ask(connect(port), Load("/tasks"), tokens[STRANGERS[len(times) % len(STRANGERS)]])
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
    connection.request(load.method, API + load.path.format(**IDS), body, headers)
    with connection.getresponse() as response:
        response.read()
        return response.status, int(response.headers["Retry-After"] or 0)


def fill(url: str, options: argparse.Namespace) -> dict[str, str]:
    """Each user's token."""
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
    from tests.support.caller import signed_in

    call_command("migrate", verbosity=0)
    tokens = {}
    with connection.cursor() as cursor:
        cursor.execute(FUNCTIONS)
        cursor.execute("SET session_replication_role = replica")  # Foreign keys would double the time.
        strangers = [(email, 200, False) for email in STRANGERS]
        for email, number, trashed in [*strangers, (OWNER, QUOTA, False), (HOARDER, QUOTA, True)]:
            user = get_user_model().objects.create_user(email)
            states = {"trashed": number} if trashed else {"open": number // 2, "completed": number // 2}
            counts, tick = {"task": states}, number
            values = {
                "owner": user.pk,
                "number": number,
                "trashed": trashed,
                "words": options.words,
                "labels": 0,
            }
            if email == OWNER:
                values["labels"] = options.labels
                counts |= {
                    "project": {"active": OBJECTS // 2, "archived": OBJECTS // 2},
                    "label": {"live": OBJECTS},
                }
                tick += 2 * OBJECTS
                cursor.execute(ORGANISE, values)
            cursor.execute(FILL, values)
            Clock.objects.create(owner=user, tick=tick, counts=counts)
            tokens[email] = str(signed_in(user).token)
        cursor.execute(LINK)
        cursor.execute("VACUUM ANALYZE")
    connection.close()
    return tokens


if __name__ == "__main__":
    main()
