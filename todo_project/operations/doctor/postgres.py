"""Checks of a database that can be reached: whether it is set up as this code needs it."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from todo_project.operations import distribution
from todo_project.server.probes import migrations_in_code

from .endpoints import endpoints, query

SAMPLES = 5
TESTED_VERSIONS = range(15, 19)
EXTENSIONS = ("pg_trgm", "btree_gin")
"""The search index needs them."""

COMMAND_CONNECTIONS = 4
"""Two for `migrate`, and one each for `purge` and the doctor."""

RECOMMENDED_TIMEOUTS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
}


def migrations(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    applied = applied_migrations(connection)
    if pending := migrations_in_code() - applied:
        yield checks.Error(
            f"{len(pending)} are not applied; the first is {'.'.join(min(pending))}.",
            hint="Run `python manage.py migrate --noinput` before this code serves requests.",
        )
    else:
        yield checks.Info("All are applied.")
    if unknown := applied - migrations_in_code():
        yield checks.Warning(
            f"{len(unknown)} are applied that this code does not have, such as {'.'.join(min(unknown))}.",
            hint="Check whether this release is older than the one that migrated the database.",
        )


def applied_migrations(connection: BaseDatabaseWrapper) -> set[tuple[str, str]]:
    """MigrationRecorder would use Django's own connection, found by its alias."""
    table = MigrationRecorder.Migration._meta.db_table
    if table not in connection.introspection.table_names():
        return set()
    return {(app, name) for app, name in query(connection, f"SELECT app, name FROM {table}")}  # noqa: S608


def server(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    [row] = query(
        connection,
        "SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000, "
        "pg_is_in_recovery(), current_setting('default_transaction_read_only')::bool",
    )
    yield from judge_server(*row)


def judge_server(version: str, number: int, is_replica: bool, is_read_only: bool) -> Iterator[CheckMessage]:
    if number in TESTED_VERSIONS:
        yield checks.Info(f"PostgreSQL {version}.")
    else:
        yield checks.Warning(
            f"PostgreSQL {version} is not a tested version.",
            hint=f"Use a version from {TESTED_VERSIONS.start} to {TESTED_VERSIONS.stop - 1}.",
        )
    if is_replica or is_read_only:
        yield checks.Error(
            "The database rejects writes: it is a read replica or is set to read-only.",
            hint="Use the URL of the primary compute; a read replica belongs in DATABASE_REPLICA_URL.",
        )


def clock(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    samples = []
    for _ in range(SAMPLES):
        before = datetime.now(UTC)
        [(database_time,)] = query(connection, "SELECT extract(epoch FROM clock_timestamp())::float")
        seconds = (datetime.now(UTC) - before).total_seconds()
        samples.append((seconds, database_time - before.timestamp() - seconds / 2))
    round_trip, skew = min(samples)
    yield judge_clock(skew, round_trip)


def judge_clock(skew: float, round_trip: float) -> CheckMessage:
    difference = max(0.0, abs(skew) - round_trip / 2)
    if difference < 1:
        return checks.Info("This machine and the database agree within a second.")
    level = checks.Error if difference >= 5 else checks.Warning
    return level(
        f"This machine is {difference:.1f} s {'behind' if skew > 0 else 'ahead of'} the database.",
        hint="Set the clock of every machine by NTP: a machine rejects tokens from one that is ahead of it.",
    )


def timeouts(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    """The reset value is what the role's sessions begin with; SHOW would give what this session has set."""
    values = dict(
        query(
            connection,
            "SELECT name, reset_val FROM pg_settings WHERE name = ANY(%s)",
            [*RECOMMENDED_TIMEOUTS, "TimeZone"],
        )
    )
    role = role_of(connection)
    for name, recommended in RECOMMENDED_TIMEOUTS.items():
        if values[name] == "0":
            yield checks.Warning(
                f"{name} is off for the role {role}.",
                hint=f"Run once: ALTER ROLE {role} SET {name} = '{recommended}';",
            )
        else:
            yield checks.Info(f"{name} is {int(values[name]) / 1000:g} s.")
    if values["TimeZone"] not in {"UTC", "Etc/UTC", "GMT", "Etc/GMT"}:
        yield checks.Warning(
            f"Sessions begin in the time zone {values['TimeZone']}, so each one has to change it.",
            hint=f"Run once: ALTER ROLE {role} SET timezone = 'UTC';",
        )


def role_of(connection: BaseDatabaseWrapper) -> str:
    [(role,)] = query(connection, "SELECT quote_ident(current_user)")
    return str(role)


def role(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    [(is_superuser,)] = query(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    name = role_of(connection)
    if is_superuser:
        yield checks.Warning(
            f"The role {name} is a superuser.",
            hint="Give the application its own role, which owns this database and nothing else.",
        )
    else:
        yield checks.Info(f"The role {name} is not a superuser.")


def extensions(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    installed = {name for (name,) in query(connection, "SELECT extname FROM pg_extension")}
    missing = [name for name in EXTENSIONS if name not in installed]
    if missing:
        commands = " ".join(f"CREATE EXTENSION {name};" for name in missing)
        yield checks.Error(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed.",
            hint=f"Run the migrations, which install them; if they have already run: {commands}",
        )
    else:
        yield checks.Info(f"{' and '.join(EXTENSIONS)} are installed.")


def indexes(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    sql = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1"
    invalid = [name for (name,) in query(connection, sql)]
    for name in invalid:
        yield checks.Error(
            f"The index {name} is invalid: no query uses it, and every write updates it.",
            hint=f"Unless it is being created now: DROP INDEX CONCURRENTLY {name}; then create it again.",
        )
    if not invalid:
        yield checks.Info("All are valid.")


def connections(connection: BaseDatabaseWrapper, *, hosts: int) -> Iterator[CheckMessage]:
    [(maximum, reserved)] = query(
        connection,
        "SELECT current_setting('max_connections')::int, "
        "current_setting('superuser_reserved_connections')::int",
    )
    processes, threads = settings.WEB_CONCURRENCY, settings.WEB_THREADS
    needed, available = hosts * processes * threads + COMMAND_CONNECTIONS, maximum - reserved
    summary = (
        f"{hosts} hosts × {processes} processes × {threads} threads + {COMMAND_CONNECTIONS} for commands = "
        f"{needed} connections; the server allows {available}."
    )
    if needed > available and not endpoints()[0].treated_as_pooler:
        yield checks.Error(summary, hint="Lower WEB_CONCURRENCY or WEB_THREADS, or use the pooled URL.")
    else:
        yield checks.Info(summary)


def citus(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    """Nothing for a database without Citus."""
    if not query(connection, "SELECT FROM pg_extension WHERE extname = 'citus'"):
        return
    if missing := distribution.missing_settings(connection):
        yield checks.Error(
            f"The role {role_of(connection)} does not have the settings that Citus needs.",
            hint=f"Run once: {' '.join(f'{statement};' for statement in missing)}",
        )
    if tables := distribution.new_tables(connection):
        yield checks.Error(
            f"These tables are not distributed: {', '.join(tables)}.",
            hint="Stop the server, and run `python manage.py distribute`.",
        )
    if not missing and not tables:
        yield checks.Info("The tables are distributed, and the role has the settings that it needs.")


def size(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    [(pretty,)] = query(connection, "SELECT pg_size_pretty(pg_database_size(current_database()))")
    yield checks.Info(f"The size of the database is {pretty}.")


CHECKS = {
    "server": server,
    "migrations": migrations,
    "clock": clock,
    "timeouts": timeouts,
    "role": role,
    "extensions": extensions,
    "indexes": indexes,
    "citus": citus,
    "size": size,
}
