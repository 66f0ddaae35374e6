"""Counts whose cost has a bound, however many rows there are."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from django.db import connection, transaction
from django.db.models import QuerySet, Value
from django.db.models.sql.datastructures import BaseTable

# So much of a table is read at most, 8 MB; a table that is no larger is counted exactly.
PAGES = 1000

PAGES_AND_ROWS_PER_PAGE = """
SELECT pg_relation_size(oid) / current_setting('block_size')::int, reltuples / NULLIF(relpages, 0)
FROM pg_class WHERE oid = %s::regclass
"""


class SampledTable(BaseTable):
    """A table in a FROM of which some pages are read; the same ones each time, so that counts do not jump."""

    def __init__(self, table_name: str, alias: str | None, percent: float) -> None:
        super().__init__(table_name, alias)
        self.percent = percent

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        sql, params = super().as_sql(compiler, connection)
        return f"{sql} TABLESAMPLE SYSTEM (%s) REPEATABLE (0)", [*params, self.percent]


Rows = TypeVar("Rows", bound=QuerySet[Any])


class Sample(Generic[Rows]):
    """The rows to count: all; on PostgreSQL, of a large table, those in some of its pages.

    Elsewhere there are no samples, and a large table is bounded by query_timeout() only.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.is_all = True
        if connection.vendor != "postgresql":
            return
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(rows.model._meta.db_table)
            cursor.execute(PAGES_AND_ROWS_PER_PAGE, [table])
            self.pages, self.rows_per_page = cursor.fetchone()
        if self.pages > PAGES:
            self.is_all = False
            self.rows = rows.all()
            alias = self.rows.query.get_initial_alias()
            part = SampledTable(rows.model._meta.db_table, alias, percent=100 * PAGES / self.pages)
            self.rows.query.alias_map[alias] = part

    def of_all(self, counts: dict[str, int], *, among: int) -> dict[str, int]:
        """From counts in the sample, which has `among` rows, to those in the table."""
        if self.is_all:
            return counts
        if self.rows_per_page and among:
            factor = self.pages * self.rows_per_page / among  # as the planner estimates a table's rows
        else:
            factor = self.pages / PAGES  # no statistics yet
        return {name: round(count * factor) for name, count in counts.items()}


def counts_up_to(most: int, querysets: Iterable[QuerySet[Any]]) -> list[int]:
    """How many rows each has, in one statement, which stops counting each at `most`."""
    columns: list[str] = []
    params: list[Any] = []
    for queryset in querysets:
        sql, given = queryset.order_by().values_list(Value(1))[:most].query.sql_with_params()
        columns.append(f"(SELECT COUNT(*) FROM ({sql}) AS counted)")  # noqa: S608
        params += given
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(columns), params)
        return list(cursor.fetchone())


@contextmanager
def query_timeout(seconds: float) -> Iterator[None]:
    """Let the database give up on what takes longer, with an OperationalError."""
    if connection.vendor == "postgresql":
        # SET LOCAL is safe behind a pooler. Elsewhere a transaction would only keep writers waiting.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [max(1, round(seconds * 1000))])
            yield
        return
    connection.ensure_connection()
    deadline = time.monotonic() + seconds
    connection.connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)
