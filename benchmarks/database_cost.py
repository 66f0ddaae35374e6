#!/usr/bin/env python3
"""Measure what tasks cost in PostgreSQL: bytes, write-ahead log, and the time and plan of each list.

    manage.py seed --users 10000 --tasks 1000000
    python benchmarks/database_cost.py postgresql://todo@127.0.0.1:5432/todo [--plans]

Prints the bytes per row of the tables of tasks and of their labels, and of each index; the log written by
renaming a task, right after a checkpoint and when its pages have been logged already; and the time of each
list for the owner with the most tasks and for one with 100. It renames one task of each of ten owners, and
needs the right to run CHECKPOINT.
"""

import argparse
import datetime as dt
import os
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
WARM_UP, ROUNDS = 6, 15

SIZES = """
SELECT relname, relkind = 'i', pg_relation_size(oid) FROM pg_class
WHERE oid = %(table)s::regclass
OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = %(table)s::regclass)
ORDER BY 2, 3 DESC
"""
OWNERS = """
SELECT owner_id, count(*) FROM tasks_task GROUP BY 1 ORDER BY abs(count(*) - %s), 1 LIMIT %s
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", help="URL of a database with demo data")
    parser.add_argument("--plans", action="store_true", help="print the plan of each list too")
    options = parser.parse_args()
    os.environ |= {
        "ENV_FILE": os.devnull,
        "DEBUG": "true",
        "SECRET_KEY": "only for this benchmark " * 3,
        "DATABASE_URL": options.url,
        "DJANGO_SETTINGS_MODULE": "todo_project.settings",
    }
    import django

    django.setup()
    measure_sizes()
    measure_log()
    measure_lists(plans=options.plans)


def query(sql: str, *params: Any, **named: Any) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, params or named or None)
        return cursor.fetchall() if cursor.description else []


def measure_sizes() -> None:
    for table, name in (("tasks_task", "task"), ("tasks_tasklabel", "label of a task")):
        query(f"VACUUM ANALYZE {table}")
        [(rows,)] = query(f"SELECT count(*) FROM {table}")
        sizes = query(SIZES, table=table)
        print(f"{rows:,} rows of {table}, bytes per {name}")
        for relation, _, size in sizes:
            print(f"  {relation:30} {size / rows:8.1f}")
        indexes = sum(size for _, is_index, size in sizes if is_index)
        print(f"  {'all indexes':30} {indexes / rows:8.1f}\n")


def measure_log() -> None:
    first, second = [], []
    for owner, *_ in query(OWNERS, 100, 10):
        query("CHECKPOINT")
        first.append(log_of(rename, owner))
        second.append(log_of(rename, owner))
    print("bytes of write-ahead log of renaming a task, medians of ten owners")
    print(f"  after a checkpoint {statistics.median(first):8,.0f}")
    print(f"  again              {statistics.median(second):8,.0f}\n")


def log_of(write: Callable[[Any], None], owner: Any) -> int:
    [(before,)] = query("SELECT pg_current_wal_insert_lsn()")
    write(owner)
    [(size,)] = query("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", before)
    return int(size)


def rename(owner: Any) -> None:
    from django.contrib.auth import get_user_model
    from django.db import transaction

    from tasks.kinds import TASK
    from tasks.ledger.operations import Operation, perform
    from tasks.models import Task

    user = get_user_model()(pk=owner)
    task = Task.objects.for_user(user).live()[0]
    with transaction.atomic():
        perform(user, [Operation(TASK, "update", task.pk, {"title": f"Renamed at {time.time()}"})])


def measure_lists(*, plans: bool) -> None:
    from django.contrib.auth import get_user_model

    users = [get_user_model().objects.get(pk=query(OWNERS, size, 1)[0][0]) for size in (100, 10**9)]
    small, large = (reads(user) for user in users)
    print("milliseconds, and pages of tables and indexes, for the owner with")
    print(f"{'':48}{'100 tasks':>12}{'most tasks':>12}{'ratio':>8}{'pages':>14}")
    for name, read in large.items():
        times = [fastest(small[name]), fastest(read)]
        pages = [sum(plan[0] for plan in explain(each)) for each in (small[name], read)]
        print(
            f"{name:48}{times[0]:12.2f}{times[1]:12.2f}{times[1] / times[0]:8.2f}{pages[0]:7,}{pages[1]:7,}"
        )
        if plans:
            print(*(f"    {line}" for _, plan in explain(read) for line in plan), sep="\n")


def fastest(read: Callable[[], Any]) -> float:
    """In milliseconds, without the first calls: PostgreSQL plans a prepared statement five times."""
    times = []
    for _ in range(WARM_UP + ROUNDS):
        started = time.perf_counter()
        read()
        times.append((time.perf_counter() - started) * 1000)
    return min(times[WARM_UP:])


def explain(read: Callable[[], Any]) -> list[tuple[int, list[str]]]:
    """The number of pages and the plan of each query."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        read()
    plans = []
    for each in queries.captured_queries:
        sql = each["sql"].replace("%", "%%")
        if not sql.startswith("SELECT"):
            continue  # BEGIN, and the timeout of a search.
        lines = [line for (line,) in query(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {sql}")]
        # The first node's buffers include those of all others.
        buffers = next((line for line in lines if "Buffers: shared" in line), "")
        pages = sum(int(number) for number in re.findall(r"(?:hit|read)=([0-9]+)", buffers))
        plans.append((pages, [line for line in lines if "Buffers:" not in line]))
    return plans


def reads(user: Any) -> dict[str, Callable[[], Any]]:
    """The lists, the feed and the statistics. Of each ordering, also a page in the middle."""
    from django.utils import timezone

    from tasks.filters import FILTERS, ORDERINGS
    from tasks.kinds import TASK
    from tasks.ledger import sync
    from tasks.ledger.filters import SEARCH
    from tasks.ledger.kinds import owned
    from tasks.ledger.reads import ObjectPage, Selection
    from tasks.models import Task
    from tasks.stats import count_tasks
    from todo_project.db.keyset import Keyset

    now, week_ago = timezone.now(), timezone.now() - dt.timedelta(days=7)
    tasks = list(Task.objects.for_user(user).order_by("created_at"))
    middle = tasks[len(tasks) // 2]
    cases: dict[str, Callable[[], Any]] = {}

    def add(ordering: str, *, trashed: bool = False, named: str = "", **filters: Any) -> None:
        known = SEARCH if trashed else FILTERS
        # The default for users with archived projects; a request for a project includes archived ones.
        sent = filters if trashed or "project" in filters else {"archived": False, **filters}
        page = ObjectPage(
            Selection(TASK, owned, trashed),
            user,
            known,
            sent,
            at=now,
            zone=ZoneInfo("UTC"),
            may_use_replica=False,
        )
        keyset = Keyset(Task, ordering)
        name = f"{'trash' if trashed else 'tasks'} {ordering} {named or ' '.join(filters)}"
        cases[name] = lambda: page.page(keyset, None, 51)
        if not filters:
            shown = [task for task in tasks if bool(task.deleted_at) == trashed]
            positions = sorted(
                (position for task in shown if None not in (position := keyset.position(task))),
                reverse=keyset.descending,
            )
            cases[f"{name}middle"] = lambda: page.page(keyset, positions[len(positions) // 2], 51)

    for ordering in (sign + column for column in ORDERINGS.values() for sign in ("-", "")):
        add(ordering)
    add("-deleted_at", trashed=True)
    add("deleted_at", trashed=True)
    add("due_by", completed=False)
    add("-due_by", completed=False)
    add("due_by", overdue=True)
    add("-version", updated_after=week_ago)
    add("version", updated_after=week_ago)
    filters: dict[str, Any] = {
        "completed": False,
        "priority": 3,
        "due": "none",
        "due_until": now.date(),
        "due_before": now,
        "due_after": now,
        "overdue": True,
        "created_before": middle.created_at,
        "created_after": middle.created_at,
        "updated_after": week_ago,
        "ids": [task.pk for task in tasks[:: len(tasks) // 100]][:100],
    }
    for name, value in filters.items():
        add("-created_at", **{name: value})
    # As a front-end shows a project, a task with its subtasks, and a label.
    in_project = next(task for task in tasks if task.project_id)
    add("position", project=in_project.project_id)
    add("position", project="none", parent="none")
    subtask = next((task for task in tasks if task.parent_id), None)
    if subtask:
        add("position", parent=subtask.parent_id)
        add("position", root=subtask.parent_id)
    labels = next(task for task in tasks if len(task.labels) > 1).labels
    add("-created_at", label=[labels[:1]])
    add("-created_at", label=[labels[:1], labels[1:]], named="two labels")
    add("-created_at", q=middle.title, named="q, a title")
    add("-created_at", q=middle.title[:2], named="q, two letters")
    add("-created_at", q="no such words", named="q, nothing found")
    add("-due_by", q=middle.title, named="q, a title")
    add("-deleted_at", trashed=True, q=middle.title, named="q, a title")
    user.epoch, user.tick = user.clock.epoch, user.clock.tick
    cases["sync from the start"] = lambda: sync.changes(user, owned, limit=200, may_use_replica=False)
    late = sync.Position(user.epoch, user.tick - 10)
    cases["sync of ten changes"] = lambda: sync.changes(
        user, owned, since=late, limit=200, may_use_replica=False
    )
    cases["stats"] = lambda: count_tasks(
        owned, user, now=now, zone=ZoneInfo("UTC"), by=None, may_use_replica=False
    )
    return cases


if __name__ == "__main__":
    main()
