"""Rows as JSON text that the database writes.

A page of 50 rows is then 50 strings, without model instances, parsed timestamps or serializers. as_dict()
represents a model instance in the same way, to the byte.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable
from copy import copy
from functools import cache, lru_cache
from typing import Any, cast

import orjson
from django.db.models import (
    BooleanField,
    CharField,
    DateField,
    DateTimeField,
    Expression,
    IntegerField,
    Model,
    TextField,
    UUIDField,
)

from .fields import JSONTextField, UUIDListField

ENCODED = {bool, int, str, type(None), uuid.UUID, dt.date}
"""The types of most values of an object, which the JSON encoder writes in the same way."""


def as_dict(row: Model, fields: tuple[str, ...]) -> dict[str, Any]:
    return {
        key: value if type(value := getattr(row, attribute)) in ENCODED else as_json(value)
        for key, attribute in _attributes(type(row), fields)
    }


@cache
def _attributes(model: type[Model], fields: tuple[str, ...]) -> list[tuple[str, str]]:
    keys = [field.partition("=") for field in fields]
    return [(key, cast(Any, model._meta.get_field(name or key)).attname) for key, _, name in keys]


def as_json(value: Any) -> Any:
    """A value as in the JSON of an object."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return str(value) if isinstance(value, uuid.UUID | dt.date) else value


def json_array(texts: Iterable[str]) -> orjson.Fragment:
    """Results of JSONText, which a response includes unchanged."""
    return orjson.Fragment(f"[{','.join(texts)}]")


class JSONText(Expression):
    """A row as the text of a JSON object of these model fields. "key=field" renames a field.

    `opening` may contain a first member, `ending` a last one.
    """

    output_field = TextField()
    model: type[Model]

    def __init__(self, *fields: str, opening: str = "{", ending: str = "}") -> None:
        super().__init__()
        self.fields, self.opening, self.ending = fields, opening, ending

    def resolve_expression(self, query: Any = None, *args: Any, **kwargs: Any) -> "JSONText":
        resolved = copy(self)
        resolved.model = query.model
        return resolved

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        # Composing this of Django expressions would cost more than the rest of the query.
        return _sql(self.model, self.fields, self.opening, self.ending, connection.vendor), []


@lru_cache(maxsize=1000)
def _sql(model: type[Model], fields: tuple[str, ...], opening: str, ending: str, vendor: str) -> str:
    pieces = []
    for key, _, name in (field.partition("=") for field in fields):
        field: Any = model._meta.get_field(name or key)
        column = f'"{model._meta.db_table}"."{field.column}"'
        value = _writer(field, vendor)(column)
        pieces += [f"'{opening}\"{key}\":'", f"coalesce({value}, 'null')" if field.null else value]
        opening = ","
    pieces.append(f"'{ending}'")
    # concat() writes into one buffer, which takes a fifth less time; older versions of SQLite have none.
    return f"concat({', '.join(pieces)})" if vendor == "postgresql" else f"({' || '.join(pieces)})"


def _writer(field: Any, vendor: str) -> Callable[[str], str]:
    # The type of a foreign key or of a generated field is that of another field.
    target = getattr(field, "target_field", None) or getattr(field, "output_field", field)
    for kind, writer in WRITERS[vendor].items():
        if isinstance(target, kind):
            return writer
    raise TypeError(
        f"JSONText cannot write {field}: add a writer for {type(field).__name__} to WRITERS in {__name__}."
    )


def _sqlite_uuid(column: str) -> str:
    """SQLite stores 32 hexadecimal digits."""
    digits = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return "'\"' || " + " || '-' || ".join(f"substr({column}, {at}, {n})" for at, n in digits) + " || '\"'"


# Times always have six decimals: PostgreSQL's to_char() cannot leave out trailing zeros.
WRITERS: dict[str, dict[type[Any], Callable[[str], str]]] = {
    "postgresql": {
        BooleanField: lambda column: f"{column}::text",
        IntegerField: lambda column: f"{column}::text",
        UUIDField: lambda column: f"'\"' || {column}::text || '\"'",
        DateTimeField: lambda column: (
            f'to_char({column} AT TIME ZONE \'UTC\', \'"\\""YYYY-MM-DD"T"HH24:MI:SS.US"Z\\""\')'
        ),
        DateField: lambda column: f"'\"' || {column}::text || '\"'",
        UUIDListField: lambda column: column,
        JSONTextField: lambda column: column,
        CharField: lambda column: f"to_json({column})::text",
        TextField: lambda column: f"to_json({column})::text",
    },
    "sqlite": {
        BooleanField: lambda column: f"CASE WHEN {column} THEN 'true' ELSE 'false' END",
        IntegerField: lambda column: f"{column}",
        UUIDField: _sqlite_uuid,
        DateTimeField: lambda column: (
            f"'\"' || replace(substr({column} || '.000000', 1, 26), ' ', 'T') || 'Z\"'"
        ),
        DateField: lambda column: f"'\"' || {column} || '\"'",
        UUIDListField: lambda column: column,
        JSONTextField: lambda column: column,
        CharField: lambda column: f"json_quote({column})",
        TextField: lambda column: f"json_quote({column})",
    },
}


VISIBLE = ("kind", "id", "version", "purged")


def without_content(data: Any) -> Any:
    """Reduce each object with an ID, wherever it is in a response, to what a later change of it needs."""
    if isinstance(data, list):
        return [without_content(item) for item in data]
    if isinstance(data, dict):
        if "id" in data:
            return {name: data[name] for name in VISIBLE if name in data}
        return {name: without_content(value) for name, value in data.items()}
    return data
