"""Querysets that are compiled to SQL once: compiling a small query costs more than running it.

A queryset is compiled at its first use, with placeholders for the values of each call. PostgreSQL keeps the
query plan too, except behind a pooler.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, TypeVar

import orjson
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.models import BooleanField, Expression, Func, Model, QuerySet, Value
from django.db.models.sql import DeleteQuery, UpdateQuery

from .errors import plan_is_stale, statement_is_missing

T = TypeVar("T")

Rows = list[tuple[Any, ...]]

Statement = tuple[str, list[Any]]
"""SQL and its parameters."""


def execute(
    sql: str,
    params: list[Any],
    read: Callable[[Any], T],
    *,
    prepare: bool = True,
    first: Statement | None = None,
) -> T:
    """Run SQL, prepared by default, and return the result of `read`, which takes the cursor.

    On PostgreSQL, a statement to run `first` can be sent together with it, in one transaction.
    """
    try:
        return _execute(sql, params, read, prepare=prepare, first=first)
    except DatabaseError as error:
        if not plan_is_stale(error):
            raise
        if statement_is_missing(error):
            connection.stop_preparing()  # type: ignore[attr-defined]
        if connection.in_atomic_block:
            raise  # Results in 503. The rollback clears the prepared statements, so a retry succeeds.
    connection.close()
    return _execute(sql, params, read, prepare=prepare, first=first)


def execute_all(*statements: Statement) -> int:
    """Run writes of different rows, on PostgreSQL in one round trip, and return the rowcount of the last."""
    *others, (sql, params) = statements
    if connection.vendor == "postgresql" and others:
        parts = [f"write_{number} AS ({each})" for number, (each, _) in enumerate(others)]
        sql = f"WITH {', '.join(parts)} {sql}"
        params = [*(value for _, values in others for value in values), *params]
        others = []
    for each, values in others:
        execute(each, values, lambda cursor: None)
    return execute(sql, params, lambda cursor: int(cursor.rowcount))


def _execute(
    sql: str, params: list[Any], read: Callable[[Any], T], *, prepare: bool, first: Statement | None
) -> T:
    database: Any = connections[DEFAULT_DB_ALIAS]  # `connection` would look it up for each attribute.
    if database.vendor == "postgresql" and not database.queries_logged:
        return read(database.execute_constant(sql, params, prepare=prepare, first=first))
    with database.cursor() as cursor:
        if first:
            cursor.execute(f"{first[0]}; {sql}", [*first[1], *params])
            cursor.nextset()
        else:
            cursor.execute(sql, params)
        return read(cursor)


class Placeholder(Value):
    """A placeholder in a queryset for a value, or for a model instance with this primary key."""

    def __init__(self, name: str, field: Any, part: int | None = None) -> None:
        super().__init__(name, output_field=field)
        self.part = part
        """The index in a value that is a tuple."""
        self.key = (name, part)

    def bind(self, values: Mapping[str, Any], database: Any) -> Any:
        value = values[self.value] if self.part is None else values[self.value][self.part]
        return self.output_field.get_db_prep_value(value, database)

    @property
    def pk(self) -> "Placeholder":
        return self

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]


class Placeholders(Placeholder):
    """One placeholder for any number of values, for AnyOf."""

    def bind(self, values: Mapping[str, Any], database: Any) -> Any:
        bound = [self.output_field.get_db_prep_value(each, database) for each in values[self.value]]
        return bound if database.vendor == "postgresql" else orjson.dumps(bound).decode()


class AnyOf(Func):
    """Whether a column has one of the values of Placeholders: the same SQL for any number of them."""

    output_field = BooleanField()
    arity = 2
    template = "%(expressions)s)"
    arg_joiner = " = ANY("

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler,
            connection,
            template="%(expressions)s))",
            arg_joiner=" IN (SELECT value FROM json_each(",
            **context,
        )


def _placeholder(name: str, field: Any) -> Any:
    """For a value of the field, for each of the values of a tuple of fields, or for a list of values."""
    if isinstance(field, tuple):
        return tuple(Placeholder(name, each, part) for part, each in enumerate(field))
    return Placeholders(name, *field) if isinstance(field, list) else Placeholder(name, field)


class _Compiled:
    def __init__(self, build: Callable[..., Any], **placeholders: Any) -> None:
        self.build = build
        self.placeholders = {name: _placeholder(name, field) for name, field in placeholders.items()}
        self.compiled: dict[str, tuple[str, list[Any], Callable[[Any], Any] | None]] = {}

    def compile(self) -> tuple[str, list[Any], Callable[[Any], Any] | None]:
        """The SQL, its parameters and the function that converts its rows, if necessary."""
        raise NotImplementedError

    def prepare(self, values: dict[str, Any]) -> tuple[str, list[Any], Callable[[Any], Any] | None]:
        database = connections[DEFAULT_DB_ALIAS]
        if database.vendor not in self.compiled:
            self.compiled[database.vendor] = self.compile()
        sql, params, convert = self.compiled[database.vendor]
        bound: dict[Any, Any] = {}  # A union has the same placeholders in each part.
        for param in params:
            if isinstance(param, Placeholder) and param.key not in bound:
                bound[param.key] = param.bind(values, database)
        return (
            sql,
            [bound[param.key] if isinstance(param, Placeholder) else param for param in params],
            convert,
        )


class CompiledQuery(_Compiled):
    """`build` takes the placeholders and returns a queryset that ends in values_list(), or several.

    Without `prepare`, for a query whose best plan depends on its values, only the SQL is kept.
    """

    is_constant = True
    """Whether the SQL is always the same."""

    def __init__(self, build: Callable[..., Any], *, prepare: bool = True, **placeholders: Any) -> None:
        super().__init__(build, **placeholders)
        self.is_prepared = prepare

    def __call__(self, **values: Any) -> Rows:
        sql, params, convert = self.prepare(values)
        rows: Rows = execute(sql, params, lambda cursor: cursor.fetchall(), prepare=self.is_prepared)
        return [tuple(row) for row in convert(rows)] if convert else rows

    def execute(self, database: Any, sql: str, params: list[Any]) -> Rows:
        """Run a statement that contains this query on another database, which is a PostgreSQL."""
        rows: Rows = database.execute_constant(sql, params, prepare=self.is_prepared).fetchall()
        return rows

    def statement(self, **values: Any) -> Statement:
        """For a query whose rows need no conversion."""
        sql, params, _ = self.prepare(values)
        return sql, params

    def compile(self) -> tuple[str, list[Any], Callable[[Any], Any] | None]:
        rows = self.build(**self.placeholders)
        sql, params, convert = _select([rows] if isinstance(rows, QuerySet) else rows)
        if connection.vendor == "postgresql":
            # Constants become part of the SQL: only then does PostgreSQL use an index with a condition.
            sql = sql.replace("%%", "%%%%") % tuple(
                "%s" if isinstance(param, Placeholder) else _literal(param) for param in params
            )
            params = [param for param in params if isinstance(param, Placeholder)]
        return sql, params, convert


class UncompiledQuery:
    """The same without compiling once, for a query whose SQL depends on its values."""

    is_constant = False

    def __init__(self, querysets: Sequence[QuerySet[Any, Any]]) -> None:
        self.querysets = querysets

    def __call__(self) -> Rows:
        sql, params, convert = self.prepare({})
        rows = self.execute(connection, sql, params)
        return [tuple(row) for row in convert(rows)] if convert else rows

    def prepare(self, values: dict[str, Any]) -> tuple[str, list[Any], Callable[[Any], Any] | None]:
        return _select(self.querysets)

    def execute(self, database: Any, sql: str, params: list[Any]) -> Rows:
        with database.cursor() as cursor:
            cursor.execute(sql, params)
            rows: Rows = cursor.fetchall()
            return rows


def _select(
    querysets: Sequence[QuerySet[Any, Any]],
) -> tuple[str, list[Any], Callable[[Any], Any] | None]:
    """The rows of querysets one after the other, in one statement. Several must have the same limit."""
    compilers = [each.query.get_compiler(connection=connection) for each in querysets]
    parts = [compiler.as_sql() for compiler in compilers]
    sql = parts[0][0]
    if len(parts) > 1:
        # Not union(): Django does not limit its parts on SQLite. Without ORDER BY around them, the database
        # reads a part only if those before it have fewer rows than the limit.
        selects = (f"SELECT * FROM ({part}) AS part_{number}" for number, (part, _) in enumerate(parts))  # noqa: S608
        sql = f"{' UNION ALL '.join(selects)} LIMIT {querysets[0].query.high_mark}"
    converters = _converters(compilers[0])
    convert = partial(compilers[0].apply_converters, converters=converters) if converters else None
    return sql, [param for _, params in parts for param in params], convert


def _converters(compiler: Any) -> dict[int, Any]:
    columns = [column for column, *_ in compiler.select]
    if connection.vendor != "postgresql":
        found: dict[int, Any] = compiler.get_converters(columns)
        return found
    # Of expressions, only what their fields convert: PostgreSQL's numbers have the right type already.
    converters = [column.output_field.get_db_converters(connection) for column in columns]
    return {number: (each, columns[number]) for number, each in enumerate(converters) if each}


class CompiledUpdate(_Compiled):
    """The UPDATE that stores values. `build` takes the placeholders and returns the rows to update.

    `expressions` are the values of further columns. `source` is another table that they read.
    """

    def __init__(
        self,
        build: Callable[..., QuerySet[Any, Any]],
        fields: Iterable[Any] = (),
        *,
        expressions: Mapping[str, Any] | None = None,
        source: str | None = None,
        **placeholders: Any,
    ) -> None:
        super().__init__(build, **placeholders)
        self.fields, self.expressions, self.source = list(fields), expressions or {}, source

    def statement(self, new: Model | Mapping[str, Any] | None = None, **values: Any) -> Statement:
        """`new` has the values of the fields."""
        if isinstance(new, Model):
            new = {field.name: getattr(new, field.attname) for field in self.fields}
        values |= {f"new_{name}": value for name, value in (new or {}).items()}
        sql, params, _ = self.prepare(values)
        return sql, params

    def compile(self) -> tuple[str, list[Any], None]:
        query: Any = self.build(**self.placeholders).query.chain(UpdateQuery)
        query.add_update_fields(
            [(field, None, Placeholder(f"new_{field.name}", field)) for field in self.fields]
        )
        query.add_update_values(self.expressions)
        sql, params = query.get_compiler(connection=connection).as_sql()
        if self.source:  # Django has no UPDATE … FROM.
            sql = sql.replace(" WHERE ", f" FROM {self.source} WHERE ", 1)
        return sql, list(params), None


class CompiledDelete(_Compiled):
    """The DELETE of rows without related rows. `build` takes the placeholders and returns the rows."""

    def statement(self, **values: Any) -> Statement:
        sql, params, _ = self.prepare(values)
        return sql, params

    def compile(self) -> tuple[str, list[Any], None]:
        sql, params = delete_statement(self.build(**self.placeholders))
        return sql, params, None


def _literal(value: Any) -> str:
    text: str = connection.ops.compose_sql("%s", [value])  # type: ignore[attr-defined]
    return text.replace("%", "%%")


def insert_statement(*rows: Model) -> Statement:
    """The INSERT of bulk_create() or save(force_insert=True), but always the same SQL."""
    model = type(rows[0])
    fields = _insertable(model)
    values = f"({', '.join(['%s'] * len(fields))})"
    sql = f"{_insert_into(model, connection.vendor)} VALUES {', '.join([values] * len(rows))}"
    return sql, [param for row in rows for param in _params(row, fields)]


def insert_from_statement(row: Model, source: str) -> Statement:
    """The INSERT of a row, some of whose values are expressions that read the row of another table."""
    model = type(row)
    values, params = [], []
    compiler: Any = None  # The expressions name no columns of this table.
    for param in _params(row, _insertable(model)):
        if isinstance(param, Expression):
            values.append(param.as_sql(compiler, connection)[0])
        else:
            values.append("%s")
            params.append(param)
    return f"{_insert_into(model, connection.vendor)} SELECT {', '.join(values)} FROM {source}", params  # noqa: S608


def _params(row: Model, fields: Sequence[Any]) -> list[Any]:
    database = connections[DEFAULT_DB_ALIAS]
    return [
        value
        if (value := getattr(row, field.attname)) is None or isinstance(value, Expression)
        else field.get_db_prep_save(value, database)
        for field in fields
    ]


@cache
def _insertable(model: type[Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if not field.generated]


@cache
def _insert_into(model: type[Model], vendor: str) -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in _insertable(model))
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns})"


def delete_statement(rows: QuerySet[Any, Any]) -> Statement:
    """The DELETE of rows.delete() without related rows, for execute_all()."""
    sql, params = rows.query.chain(DeleteQuery).get_compiler(connection=connection).as_sql()
    return sql, list(params)


def update_statement(rows: QuerySet[Any, Any], **values: Any) -> Statement:
    """The UPDATE of rows.update(), for execute_all()."""
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values(values)
    sql, params = query.get_compiler(connection=connection).as_sql()
    return sql, list(params)


def update_many(rows: Sequence[Model], columns: Iterable[str], *, key: Sequence[str]) -> int:
    """Write columns of rows of one model, and return the number of updated rows.

    One statement on PostgreSQL. bulk_update() would compile a CASE expression for each value.
    """
    if not rows:
        return 0
    options: Any = rows[0]._meta
    fields = [options.get_field(name) for name in [*key, *sorted(columns)]]
    return sum(_update(options, fields, len(key), batch) for batch in _batches(rows, fields))


def insert_many(rows: Sequence[Model]) -> None:
    """Insert rows of one model. bulk_create() would compile an expression for each value."""
    if rows:
        model = type(rows[0])
        fields = _insertable(model)
        with connection.cursor() as cursor:
            for batch in _batches(rows, fields):
                source, params = _rows_of(fields, batch)
                cursor.execute(f"{_insert_into(model, connection.vendor)} SELECT * FROM {source}", params)  # noqa: S608


def _batches(rows: Sequence[Model], fields: Sequence[Any]) -> Iterator[list[list[Any]]]:
    """The values of these fields of the rows, in one batch on PostgreSQL."""
    size = len(rows)
    if connection.vendor == "sqlite":
        size = min(size, connection.features.max_query_params // len(fields) - 1)  # type: ignore[operator]
    for start in range(0, len(rows), size):
        yield [_params(row, fields) for row in rows[start : start + size]]


def _update(options: Any, fields: Sequence[Any], key: int, values: Sequence[list[Any]]) -> int:
    """The first fields are the key."""
    quote, table = connection.ops.quote_name, connection.ops.quote_name(options.db_table)
    new = [(quote(field.column), f"new.column{number}") for number, field in enumerate(fields, 1)]
    assignments = ", ".join(f"{name} = {value}" for name, value in new[key:])
    condition = " AND ".join(f"{table}.{name} = {value}" for name, value in new[:key])
    # Not necessary, but a distributed database finds the shards by it.
    first_keys = list(dict.fromkeys(each[0] for each in values))
    condition += f" AND {table}.{new[0][0]} IN ({', '.join(['%s'] * len(first_keys))})"
    source, params = _rows_of(fields, values)
    sql = f"UPDATE {table} SET {assignments} FROM {source} WHERE {condition}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, *first_keys])
        return int(cursor.rowcount)


def _rows_of(fields: Sequence[Any], values: Sequence[list[Any]]) -> tuple[str, list[Any]]:
    """A table `new` with the columns column1, column2 …"""
    if connection.vendor == "postgresql":
        # Without a length, which would cut texts.
        types = [field.db_type(connection).partition("(")[0] for field in fields]
        arrays = ", ".join(f"%s::{each}[]" for each in types)
        names = ", ".join(f"column{number}" for number in range(1, len(fields) + 1))
        return f"unnest({arrays}) AS new ({names})", [list(column) for column in zip(*values, strict=True)]
    one = f"({', '.join(['%s'] * len(fields))})"
    params = [value for each in values for value in each]
    return f"(VALUES {', '.join([one] * len(values))}) AS new", params
