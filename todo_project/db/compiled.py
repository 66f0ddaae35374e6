"""Queries that are put into SQL once: for a small one, that costs more than running it.

Django compiles it at its first use. PostgreSQL keeps its plan, too, unless there is a pooler in between.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from django.db import DatabaseError, connection
from django.db.models import Model, QuerySet, Value

from .errors import plan_is_stale, statement_is_missing

T = TypeVar("T")


def execute(sql: str, params: list[Any], read: Callable[[Any], T]) -> T:
    """Run a text that never changes, so that the database may remember its plan; gives what is read of it."""
    try:
        return _execute(sql, params, read)
    except DatabaseError as error:
        if not plan_is_stale(error):
            raise
        if statement_is_missing(error):
            connection.stop_preparing()  # type: ignore[attr-defined]
        if connection.in_atomic_block:
            raise  # As 503, and the retry succeeds: the rollback has cleared what was prepared.
    connection.close()
    return _execute(sql, params, read)


def _execute(sql: str, params: list[Any], read: Callable[[Any], T]) -> T:
    with getattr(connection, "prepared_cursor", connection.cursor)() as cursor:
        cursor.execute(sql, params)
        return read(cursor)


class Placeholder(Value):
    """Where a value will stand; in a sentence, instead of the value or of the row whose key it is."""

    def __init__(self, name: str, field: Any) -> None:
        super().__init__(name, output_field=field)

    @property
    def pk(self) -> "Placeholder":
        return self

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]


class CompiledQuery:
    """A queryset's sentence, ending in values_list(), of which only the values change from call to call."""

    def __init__(self, sentence: Callable[..., QuerySet[Any, Any]], **slots: Any) -> None:
        self.sentence = sentence
        self.slots = {name: Placeholder(name, field) for name, field in slots.items()}
        self.compiled: dict[str, tuple[str, list[Any], Callable[[Any], Any] | None]] = {}

    def __call__(self, **values: Any) -> list[tuple[Any, ...]]:
        if connection.vendor not in self.compiled:
            self.compiled[connection.vendor] = self._compile()
        sql, params, convert = self.compiled[connection.vendor]
        given = [
            param.output_field.get_db_prep_value(values[param.value], connection)
            if isinstance(param, Placeholder)
            else param
            for param in params
        ]
        rows: list[tuple[Any, ...]] = execute(sql, given, lambda cursor: cursor.fetchall())
        return [tuple(row) for row in convert(rows)] if convert else rows

    def _compile(self) -> tuple[str, list[Any], Callable[[Any], Any] | None]:
        compiler = self.sentence(**self.slots).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        if connection.vendor == "postgresql":
            # Constants become part of the text: an index on COALESCE(due_at, …) is found by that only.
            sql %= tuple("%s" if isinstance(param, Placeholder) else _literal(param) for param in params)
            params = [param for param in params if isinstance(param, Placeholder)]
        convert = partial(compiler.apply_converters, converters=converters) if converters else None
        return sql, list(params), convert


def _literal(value: Any) -> str:
    text: str = connection.ops.compose_sql("%s", [value])  # type: ignore[attr-defined]
    return text.replace("%", "%%")


def insert(row: Model) -> None:
    """As save(force_insert=True) does, by a text that is always the same."""
    fields = row._meta.concrete_fields
    places = ", ".join(["%s"] * len(fields))
    _write(f"INSERT INTO {{}} ({_columns(fields, '{}')}) VALUES ({places})", row, _values(row, fields))  # noqa: S608


def update(row: Model, names: Iterable[str], **where: Any) -> bool:
    """Write these columns, if the row is still as told; says whether it was."""
    meta: Any = row._meta
    fields, guards = (
        [meta.get_field(name) for name in sorted(names)],
        [meta.get_field(name) for name in where],
    )
    told = [field.get_db_prep_value(where[field.name], connection) for field in guards]
    sql = f"UPDATE {{}} SET {_columns(fields, '{} = %s')} WHERE {_columns(guards, '{} = %s', ' AND ')}"  # noqa: S608
    return _write(sql, row, [*_values(row, fields), *told]) > 0


def _write(sql: str, row: Model, params: list[Any]) -> int:
    table = connection.ops.quote_name(row._meta.db_table)
    return execute(sql.format(table), params, lambda cursor: int(cursor.rowcount))


def _columns(fields: Iterable[Any], pattern: str, separator: str = ", ") -> str:
    return separator.join(pattern.format(connection.ops.quote_name(field.column)) for field in fields)


def _values(row: Model, fields: Iterable[Any]) -> list[Any]:
    return [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
