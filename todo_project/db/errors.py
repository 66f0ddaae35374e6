"""Classifies database errors: a value was rejected, or the database is unavailable."""

import re
from dataclasses import dataclass
from functools import cache

from django.apps import apps
from django.db import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    models,
)

UNIQUE, FOREIGN_KEY, NOT_NULL = "23505", "23503", "23502"
QUERY_CANCELED, READ_ONLY = "57014", "25006"
SQLITE_CANCELED = "SQLITE_INTERRUPT"
FEATURE_NOT_SUPPORTED, UNKNOWN_STATEMENT, DUPLICATE_STATEMENT = "0A000", "26000", "42P05"
LOCK_NOT_AVAILABLE = "55P03"
CONTENTION = {"40001", "40P01", LOCK_NOT_AVAILABLE}  # the others are serialization failure and deadlock
NODE_GONE = (
    "could not commit transaction for shard",
    "failure on connection marked as essential",
    "server closed the connection unexpectedly",
)
"""Parts of the messages of Citus that a node does not respond, with the code of an internal error."""

EXHAUSTED = ("too many", "connection slots", "no more connections allowed", "query_wait_timeout")
"""Parts of the messages of PostgreSQL and PgBouncer that no connection is left."""
EXHAUSTED_HINT = (
    "All connections are in use. Lower WEB_CONCURRENCY or WEB_THREADS, use the pooled URL, or allow more."
)


@dataclass(frozen=True)
class Rejected:
    """The database rejected a value. In a conflict, the value was valid when the client read the data."""

    field: str | None
    code: str
    message: str
    conflict: bool


@dataclass(frozen=True)
class Unavailable:
    """The database cannot run the request now. A retry may succeed."""

    timeout: bool = False
    contention: bool = False


def diagnose(error: DatabaseError) -> Rejected | Unavailable | None:
    """None for a bug, such as invalid SQL."""
    if isinstance(error, IntegrityError):
        return _rejection(error)
    if isinstance(error, DataError):
        return Rejected(
            None, "invalid", "A value is too long, out of range or cannot be stored.", conflict=False
        )
    sqlstate = sqlstate_of(error)
    if sqlstate == QUERY_CANCELED or _sqlite_name(error) == SQLITE_CANCELED:
        return Unavailable(timeout=True)
    if sqlstate in CONTENTION:
        return Unavailable(contention=True)
    if isinstance(error, OperationalError | InterfaceError) or sqlstate == READ_ONLY or plan_is_stale(error):
        return Unavailable()
    # Without a code, it is the driver's own: a pooler that has lost its connection sends unexpected results.
    if isinstance(error, InternalError) and (
        sqlstate is None or any(part in str(error) for part in NODE_GONE)
    ):
        return Unavailable()
    return None


def hint_for(error: DatabaseError) -> str:
    """What an operator can do about an error of the database."""
    if any(part in str(error) for part in EXHAUSTED):
        return EXHAUSTED_HINT
    return "Run `manage.py doctor` to find the cause."


def plan_is_stale(error: DatabaseError) -> bool:
    """Whether the statement only has to be prepared again."""
    changed = sqlstate_of(error) == FEATURE_NOT_SUPPORTED and "cached plan" in str(error)
    return changed or statement_is_missing(error)


def statement_is_missing(error: Error) -> bool:
    """Whether a pooler sent the statement over another connection than the one that prepared it."""
    return sqlstate_of(error) in {UNKNOWN_STATEMENT, DUPLICATE_STATEMENT}


def sqlstate_of(error: Error) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def _sqlite_name(error: DatabaseError) -> str | None:
    return getattr(error.__cause__, "sqlite_errorname", None)


SHARD_SUFFIX = re.compile(r"_\d{6,}$")
"""Citus appends the number of the shard to the names of keys."""


def violates(error: IntegrityError, constraint: str) -> bool:
    return _constraint_name(error) == constraint


def _rejection(error: IntegrityError) -> Rejected:
    sqlstate, text = sqlstate_of(error), str(error)
    unique = sqlstate == UNIQUE or text.startswith("UNIQUE")
    constraint = _named_constraints().get(_constraint_name(error) or "")
    if constraint is not None:
        code = constraint.violation_error_code or ("unique" if unique else constraint.name)
        message = str(constraint.get_violation_error_message())
        return Rejected(_only_field(constraint), code, message, conflict=unique)
    if sqlstate == NOT_NULL or text.startswith("NOT NULL"):
        return Rejected(_null_column(error), "null", "A required value is missing.", conflict=False)
    if unique:
        return Rejected(None, "unique", "An object with these values already exists.", conflict=True)
    if sqlstate == FOREIGN_KEY or text.startswith("FOREIGN KEY"):
        return Rejected(None, "reference", "A referenced object no longer exists.", conflict=True)
    return Rejected(None, "invalid", "The values are inconsistent.", conflict=False)


def _constraint_name(error: IntegrityError) -> str | None:
    """SQLite names check constraints and indexes, but lists the columns of a unique constraint.

    From another node, Citus passes on only the message, which ends with the name.
    """
    if diagnosis := getattr(error.__cause__, "diag", None):
        names = (
            [diagnosis.constraint_name] if diagnosis.constraint_name else _quoted(diagnosis.message_primary)
        )
        return SHARD_SUFFIX.sub("", names[-1]) if names else None
    text = str(error)
    if named := re.search(r"CHECK constraint failed: (\w+)|index '(\w+)'", text):
        return named[1] or named[2]
    return _unique_by_columns().get(frozenset(re.findall(r"\w+\.\w+", text)))


def _quoted(message: str | None) -> list[str]:
    return re.findall(r'"(\w+)"', message or "")


def _null_column(error: IntegrityError) -> str | None:
    if diagnosis := getattr(error.__cause__, "diag", None):
        return diagnosis.column_name
    named = re.search(r"\.(\w+)$", str(error))
    return named[1] if named else None


@cache
def _named_constraints() -> dict[str, models.BaseConstraint]:
    return {
        constraint.name: constraint for model in apps.get_models() for constraint in model._meta.constraints
    }


@cache
def _unique_by_columns() -> dict[frozenset[str], str]:
    named = {}
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if isinstance(constraint, models.UniqueConstraint):
                columns = [model._meta.get_field(name).column for name in constraint.fields]  # type: ignore[union-attr]
                named[frozenset(f"{model._meta.db_table}.{column}" for column in columns)] = constraint.name
    return named


def _only_field(constraint: models.BaseConstraint) -> str | None:
    """The field of a constraint on one field, or on one of each user; None for a constraint on several."""
    match constraint:
        case models.UniqueConstraint(fields=(field,) | ("user", field)):
            return field
        case models.CheckConstraint(condition=models.Q() as condition) if (
            len(condition.referenced_base_fields) == 1
        ):
            return next(iter(condition.referenced_base_fields))
        case _:
            return None
