"""A task as JSON, in two ways that agree to the byte: of an instance in Python, of rows by the database.

A page of 50 then costs Python 50 strings: no model instance, no timestamp parsed, no serializer.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable
from copy import copy
from functools import cache
from typing import Any

import orjson
from django.db.models import (
    BooleanField,
    CharField,
    DateTimeField,
    Expression,
    IntegerField,
    Model,
    TextField,
    UUIDField,
)
from django.utils.crypto import salted_hmac

from todo_project.api.conditional import etag

Kind = type[Any]

TASK = (
    "id",
    "title",
    "description",
    "completed",
    "completed_at",
    "priority",
    "due_at",
    "created_at",
    "updated_at",
    "deleted_at",
    "version",
)
TOMBSTONE = ("id=task", "version")


def as_dict(task: Any) -> dict[str, Any]:
    """One task whose instance is at hand."""
    return {name: _plain(getattr(task, name)) for name in TASK}


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return str(value) if isinstance(value, uuid.UUID) else value


def list_etag(owner: Any, tick: int) -> str:
    """The ETag of all lists of one owner: theirs alone, and another one after any change of a task."""
    return etag(f"{owner.pk.hex}-{tick}-{_form()}")


@cache
def _form() -> str:
    """What else decides how a list looks: a task's fields, and the key that signs its cursors."""
    return salted_hmac("tasks.list", ",".join(TASK)).hexdigest()[:8]


def json_fragments(texts: Iterable[str]) -> list[orjson.Fragment]:
    """What JSONText gave, to be put into an answer as it is."""
    return [orjson.Fragment(text) for text in texts]


class JSONText(Expression):
    """A row as the text of one JSON object, of the model's fields that are named, with a constant ending.

    The key of a field is its name, unless the name is given as "key=field".
    """

    output_field = TextField()
    model: type[Model]

    def __init__(self, *fields: str, ending: str = "}") -> None:
        super().__init__()
        self.fields, self.ending = fields, ending

    def resolve_expression(self, query: Any = None, *args: Any, **kwargs: Any) -> "JSONText":
        resolved = copy(self)
        resolved.model = query.model
        return resolved

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        # Compiling the columns one by one would cost more than the rest of the query.
        return _sql(self.model, self.fields, self.ending, connection.vendor), []


@cache
def _sql(model: type[Model], fields: tuple[str, ...], ending: str, vendor: str) -> str:
    pieces, opening = [], "{"
    for key, _, name in (named.partition("=") for named in fields):
        field: Any = model._meta.get_field(name or key)
        column = f'"{model._meta.db_table}"."{field.column}"'
        value = WRITERS[vendor][_kind(field)](column)
        pieces.append(f"'{opening}\"{key}\":' || " + (f"coalesce({value}, 'null')" if field.null else value))
        opening = ","
    return f"({' || '.join(pieces)} || '{ending}')"


def _kind(field: Any) -> Kind:
    return next(kind for kind in WRITERS["sqlite"] if isinstance(field, kind))


def _uuid_of_sqlite(column: str) -> str:
    """SQLite keeps 32 hexadecimal digits."""
    digits = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return "'\"' || " + " || '-' || ".join(f"substr({column}, {at}, {n})" for at, n in digits) + " || '\"'"


# Times have six decimals always: PostgreSQL cannot leave out zeros.
WRITERS: dict[str, dict[Kind, Callable[[str], str]]] = {
    "postgresql": {
        BooleanField: lambda column: f"{column}::text",
        IntegerField: lambda column: f"{column}::text",
        UUIDField: lambda column: f"'\"' || {column}::text || '\"'",
        DateTimeField: lambda column: (
            f'to_char({column} AT TIME ZONE \'UTC\', \'"\\""YYYY-MM-DD"T"HH24:MI:SS.US"Z\\""\')'
        ),
        CharField: lambda column: f"to_json({column})::text",
        TextField: lambda column: f"to_json({column})::text",
    },
    "sqlite": {
        BooleanField: lambda column: f"CASE WHEN {column} THEN 'true' ELSE 'false' END",
        IntegerField: lambda column: f"{column}",
        UUIDField: _uuid_of_sqlite,
        DateTimeField: lambda column: (
            f"'\"' || replace(substr({column} || '.000000', 1, 26), ' ', 'T') || 'Z\"'"
        ),
        CharField: lambda column: f"json_quote({column})",
        TextField: lambda column: f"json_quote({column})",
    },
}
