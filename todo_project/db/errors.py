"""What a database error means: who is at fault, and by which constraint."""

import re
from dataclasses import dataclass
from functools import cache

from django.apps import apps
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError, models

UNIQUE, FOREIGN_KEY, NOT_NULL = "23505", "23503", "23502"
QUERY_CANCELED, READ_ONLY = "57014", "25006"
NOT_SUPPORTED, NOT_PREPARED, PREPARED_ALREADY = "0A000", "26000", "42P05"
CONTENTION = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available


@dataclass(frozen=True)
class Refused:
    """The database refused a value: the client can mend it (or, in a conflict, read again)."""

    field: str | None
    code: str
    message: str
    conflict: bool


@dataclass(frozen=True)
class Unavailable:
    """The database could not do it now; nothing is wrong with the request."""

    timeout: bool = False
    contention: bool = False


def diagnose(error: DatabaseError) -> Refused | Unavailable | None:
    """None for what is a bug of ours, such as broken SQL."""
    if isinstance(error, IntegrityError):
        return _refusal(error)
    if isinstance(error, DataError):
        return Refused(None, "invalid", "A value is too long, out of range or not storable.", conflict=False)
    sqlstate = sqlstate_of(error)
    if sqlstate == QUERY_CANCELED:
        return Unavailable(timeout=True)
    if sqlstate in CONTENTION:
        return Unavailable(contention=True)
    if isinstance(error, OperationalError | InterfaceError) or sqlstate == READ_ONLY or plan_is_stale(error):
        return Unavailable()
    return None


def plan_is_stale(error: DatabaseError) -> bool:
    """Whether a prepared statement is not what it was: nothing is wrong with it, prepared anew it works."""
    changed = sqlstate_of(error) == NOT_SUPPORTED and "cached plan" in str(error)
    return changed or statement_is_missing(error)


def statement_is_missing(error: DatabaseError) -> bool:
    """Whether a pooler has sent it to another server than the one that knows it."""
    return sqlstate_of(error) in {NOT_PREPARED, PREPARED_ALREADY}


def sqlstate_of(error: DatabaseError) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def violates(error: IntegrityError, constraint: str) -> bool:
    """Whether it was this constraint, by its name in the model."""
    return _constraint_name(error) == constraint


def _refusal(error: IntegrityError) -> Refused:
    sqlstate, text = sqlstate_of(error), str(error)
    unique = sqlstate == UNIQUE or text.startswith("UNIQUE")
    constraint = _named_constraints().get(_constraint_name(error) or "")
    if constraint is not None:
        code = constraint.violation_error_code or ("unique" if unique else constraint.name)
        message = str(constraint.get_violation_error_message())
        return Refused(_only_field(constraint), code, message, conflict=unique)
    if sqlstate == NOT_NULL or text.startswith("NOT NULL"):
        return Refused(_null_column(error), "null", "A required value is missing.", conflict=False)
    if unique:
        return Refused(None, "unique", "There is one like this already.", conflict=True)
    if sqlstate == FOREIGN_KEY or text.startswith("FOREIGN KEY"):
        return Refused(None, "reference", "What this refers to is no longer there.", conflict=True)
    return Refused(None, "invalid", "The values do not fit together.", conflict=False)


def _constraint_name(error: IntegrityError) -> str | None:
    """PostgreSQL names it; SQLite names a check or an index, but lists the columns of a plain one."""
    diagnosis = getattr(error.__cause__, "diag", None)
    if diagnosis is not None:
        return diagnosis.constraint_name
    text = str(error)
    if named := re.search(r"CHECK constraint failed: (\w+)|index '(\w+)'", text):
        return named[1] or named[2]
    return _unique_by_columns().get(frozenset(re.findall(r"\w+\.\w+", text)))


def _null_column(error: IntegrityError) -> str | None:
    diagnosis = getattr(error.__cause__, "diag", None)
    if diagnosis is not None:
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
    """The field that a constraint is about; None when it is about how several fit together."""
    match constraint:
        case models.UniqueConstraint(fields=(field,)):
            return field
        case models.CheckConstraint(condition=models.Q() as condition) if (
            len(condition.referenced_base_fields) == 1
        ):
            return next(iter(condition.referenced_base_fields))
        case _:
            return None
