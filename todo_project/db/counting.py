"""Counts with a bounded cost, for any number of rows."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from django.db import connection, transaction
from django.db.models import QuerySet, Value
from django.db.models.sql.datastructures import BaseTable

from .compiled import CompiledQuery, Rows, UncompiledQuery, execute
from .locks import lock_until_commit, rows_after_lock

# At most 8 MB of a table is read. Smaller tables are counted exactly.
MAX_PAGES = 1000

PAGES_AND_ROWS_PER_PAGE = """
SELECT pg_relation_size(oid) / current_setting('block_size')::int, reltuples / NULLIF(relpages, 0)
FROM pg_class WHERE oid = %s::regclass
"""


class SampledTable(BaseTable):
    """A FROM clause that reads a part of a table, always the same one, so that counts do not jump."""

    def __init__(self, table_name: str, alias: str | None, percent: float) -> None:
        super().__init__(table_name, alias)
        self.percent = percent

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        sql, params = super().as_sql(compiler, connection)
        return f"{sql} TABLESAMPLE SYSTEM (%s) REPEATABLE (0)", [*params, self.percent]


Q = TypeVar("Q", bound=QuerySet[Any])


class Sample(Generic[Q]):
    """The rows to count: all, or a sample of a large table on PostgreSQL.

    SQLite cannot sample, so there only query_timeout() bounds the cost.
    """

    def __init__(self, rows: Q) -> None:
        self.rows = rows
        self.is_all = True
        if connection.vendor != "postgresql":
            return
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(rows.model._meta.db_table)
            cursor.execute(PAGES_AND_ROWS_PER_PAGE, [table])
            self.pages, self.rows_per_page = cursor.fetchone()
        if self.pages > MAX_PAGES:
            self.is_all = False
            self.rows = rows.all()
            alias = self.rows.query.get_initial_alias()
            sampled = SampledTable(rows.model._meta.db_table, alias, percent=100 * MAX_PAGES / self.pages)
            self.rows.query.alias_map[alias] = sampled

    def extrapolate(self, counts: dict[str, int], *, among: int) -> dict[str, int]:
        """Estimate the counts in the table from those in the sample, which has `among` rows."""
        if self.is_all:
            return counts
        if self.rows_per_page and among:
            factor = self.pages * self.rows_per_page / among  # the planner's estimate of the table's rows
        else:
            factor = self.pages / MAX_PAGES  # The table has no statistics yet.
        return {name: round(count * factor) for name, count in counts.items()}


def capped_counts(limit: int, querysets: Iterable[QuerySet[Any]]) -> list[int]:
    """The number of rows of each queryset, up to the limit, in one statement."""
    columns: list[str] = []
    params: list[Any] = []
    for queryset in querysets:
        sql, values = queryset.order_by().values_list(Value(1))[:limit].query.sql_with_params()
        columns.append(f"(SELECT COUNT(*) FROM ({sql}) AS counted)")  # noqa: S608
        params += values
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(columns), params)
        return list(cursor.fetchone())


def rows_within(
    seconds: float, query: CompiledQuery | UncompiledQuery, values: Mapping[str, Any], *, lock: str
) -> Rows:
    """The rows of a query within query_timeout(), in one round trip on PostgreSQL."""
    if connection.vendor != "postgresql":
        with query_timeout(seconds):
            return query(**values)
    # Such a query is planned for its values each time, but parsed once.
    return rows_after_lock(lock, query, values, plan_cache_mode="force_custom_plan", **_timeouts(seconds))


def _timeouts(seconds: float) -> dict[str, float]:
    return {"statement_timeout": seconds, "lock_timeout": seconds / 2}


@contextmanager
def query_timeout(seconds: float, *, lock: str = "") -> Iterator[None]:
    """Cancel queries that take longer, with an OperationalError.

    Of those with the same `lock`, one runs at a time; one that waits for half of the time fails with
    LockNotAvailable.
    """
    if connection.vendor == "postgresql":
        # SET LOCAL is safe behind a pooler. On SQLite a transaction would block writers.
        with transaction.atomic():
            if lock:
                lock_until_commit(lock, **_timeouts(seconds))
            else:
                milliseconds = max(1, round(seconds * 1000))
                execute(
                    f"SET LOCAL statement_timeout = {milliseconds}", [], lambda cursor: None, prepare=False
                )
            yield
        return
    connection.ensure_connection()
    deadline = time.monotonic() + seconds
    connection.connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)
