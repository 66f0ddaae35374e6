"""What is asked of a PostgreSQL that can be reached: whether it is as this code needs it."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from todo_project.server.probes import migrations_in_code

from .endpoints import ask, endpoints
from .findings import Finding, ok, problem, warning

TRIES = 5
TESTED_VERSIONS = range(15, 19)
EXTENSIONS = ("pg_trgm", "btree_gin")
"""What the search's index is made of."""

ADVISED_TIMEOUTS = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}


def migrations(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    applied = applied_migrations(connection)
    if pending := migrations_in_code() - applied:
        yield problem(
            f"{len(pending)} are not applied; the first is {'.'.join(min(pending))}.",
            "Run `python manage.py migrate --noinput` before this code serves.",
        )
    else:
        yield ok("All are applied.")
    if unknown := applied - migrations_in_code():
        yield warning(
            f"{len(unknown)} are applied that this code does not know, such as {'.'.join(min(unknown))}.",
            "See whether an older release is deployed here than was migrated for.",
        )


def applied_migrations(connection: BaseDatabaseWrapper) -> set[tuple[str, str]]:
    """MigrationRecorder would ask by its alias, and so Django's own connection."""
    table = MigrationRecorder.Migration._meta.db_table
    if table not in connection.introspection.table_names():
        return set()
    return {(app, name) for app, name in ask(connection, f"SELECT app, name FROM {table}")}  # noqa: S608


def server(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    [(version, number, recovering, read_only)] = ask(
        connection,
        "SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000, "
        "pg_is_in_recovery(), current_setting('default_transaction_read_only')::bool",
    )
    if number in TESTED_VERSIONS:
        yield ok(f"PostgreSQL {version}.")
    else:
        yield warning(
            f"PostgreSQL {version} is not among those that the tests know.",
            f"Use a version from {TESTED_VERSIONS.start} to {TESTED_VERSIONS.stop - 1}.",
        )
    if recovering or read_only:
        yield problem(
            "It takes no writes: it is a read replica, or set to read only.",
            "Use the URL of the primary compute; nothing here reads from a replica.",
        )


def clock(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    best: tuple[float, float] | None = None
    for _ in range(TRIES):
        before = datetime.now(UTC)
        [(there,)] = ask(connection, "SELECT extract(epoch FROM clock_timestamp())::float")
        after = datetime.now(UTC)
        seconds = (after - before).total_seconds()
        if best is None or seconds < best[1]:
            best = (there - before.timestamp() - seconds / 2, seconds)
    assert best is not None  # noqa: S101
    yield judge_clock(*best)


def judge_clock(skew: float, round_trip: float) -> Finding:
    """A token is refused when the machine that made it is ahead of the one that reads it."""
    off = max(0.0, abs(skew) - round_trip / 2)
    if off < 1:
        return ok("This machine and the database agree within a second.")
    found = f"This machine is {off:.1f} s {'behind' if skew > 0 else 'ahead of'} the database."
    advice = "Let NTP set the clock of every machine: fresh tokens are refused where clocks differ."
    return problem(found, advice) if off >= 5 else warning(found, advice)


def timeouts(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    """What a new session begins with, which is what the role was given; SHOW would tell what we have set."""
    found = dict(
        ask(
            connection,
            "SELECT name, reset_val FROM pg_settings WHERE name = ANY(%s)",
            [*ADVISED_TIMEOUTS, "TimeZone"],
        )
    )
    role = role_of(connection)
    for name, advised in ADVISED_TIMEOUTS.items():
        if found[name] == "0":
            yield warning(
                f"{name} is off for the role {role}.",
                f"Run once: ALTER ROLE {role} SET {name} = '{advised}';",
            )
        else:
            yield ok(f"{name} is {int(found[name]) / 1000:g} s.")
    if found["TimeZone"] not in {"UTC", "Etc/UTC", "GMT", "Etc/GMT"}:
        yield warning(
            f"Sessions begin in the time zone {found['TimeZone']}, which each has to change.",
            f"Run once: ALTER ROLE {role} SET timezone = 'UTC';",
        )


def role_of(connection: BaseDatabaseWrapper) -> str:
    [(role,)] = ask(connection, "SELECT quote_ident(current_user)")
    return str(role)


def role(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    [(is_superuser,)] = ask(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    name = role_of(connection)
    if is_superuser:
        yield warning(
            f"The role {name} is a superuser.",
            "Give the application a role of its own, which owns this database and nothing else.",
        )
    else:
        yield ok(f"The role {name} is no superuser.")


def extensions(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    there = {name for (name,) in ask(connection, "SELECT extname FROM pg_extension")}
    missing = [name for name in EXTENSIONS if name not in there]
    if missing:
        commands = " ".join(f"CREATE EXTENSION {name};" for name in missing)
        yield problem(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed.",
            f"Run the migrations, which do it; or, if they have run: {commands}",
        )
    else:
        yield ok(f"{' and '.join(EXTENSIONS)} are installed.")


def indexes(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    invalid = [
        name
        for (name,) in ask(
            connection, "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1"
        )
    ]
    for name in invalid:
        yield problem(
            f"The index {name} is not valid: nothing uses it, and every write pays for it.",
            f"If it is not being made just now: DROP INDEX CONCURRENTLY {name}; then make it again.",
        )
    if not invalid:
        yield ok("All are valid.")


def connections(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    [(most, reserved)] = ask(
        connection,
        "SELECT current_setting('max_connections')::int, "
        "current_setting('superuser_reserved_connections')::int",
    )
    needed = settings.WEB_CONCURRENCY * settings.WEB_THREADS
    found = f"This machine's {needed} threads keep one each; the server allows {most - reserved}."
    if needed > most - reserved and not endpoints()[0].taken_for_pooler:
        yield problem(found, "Lower WEB_CONCURRENCY or WEB_THREADS, or use the pooled URL.")
    else:
        yield ok(found)


def size(connection: BaseDatabaseWrapper) -> Iterator[Finding]:
    [(pretty,)] = ask(connection, "SELECT pg_size_pretty(pg_database_size(current_database()))")
    yield ok(f"The database holds {pretty}.")


LOOKS = {
    "server": server,
    "migrations": migrations,
    "clock": clock,
    "timeouts": timeouts,
    "role": role,
    "extensions": extensions,
    "indexes": indexes,
    "connections": connections,
    "size": size,
}
