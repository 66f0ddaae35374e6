"""Checks of the read replica, by comparison with the primary."""

import time
from collections.abc import Iterator

from django.core import checks
from django.core.checks import CheckMessage
from django.db.backends.base.base import BaseDatabaseWrapper

from .endpoints import place_of, query
from .postgres import applied_migrations

MAX_LAG = 3
"""Seconds to wait until the replica has what the primary had."""


def check_replica(primary: BaseDatabaseWrapper, replica: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    if place_of(primary) == place_of(replica):
        yield checks.Error(
            "DATABASE_REPLICA_URL leads to the same server as DATABASE_URL.",
            hint="Use the URL of a read replica, or remove it.",
        )
        return
    [(is_standby,)] = query(replica, "SELECT pg_is_in_recovery()")
    if not is_standby or system_of(primary) != system_of(replica):
        yield checks.Error(
            "DATABASE_REPLICA_URL does not lead to a read replica of this database, so the primary serves "
            "all reads.",
            hint="Use the URL of a standby that replicates DATABASE_URL. One that was promoted has to be "
            "created again.",
        )
        return
    yield judge_lag(*measure_lag(primary, replica))
    if applied_migrations(primary) == applied_migrations(replica):
        yield checks.Info("Its migrations are those of the primary.")
    else:
        yield checks.Error(
            "The migrations of DATABASE_REPLICA_URL differ from those of DATABASE_URL.",
            hint="Wait until the replica has caught up, then run this again.",
        )


def system_of(connection: BaseDatabaseWrapper) -> object:
    """A standby has it from its primary."""
    return query(connection, "SELECT system_identifier FROM pg_control_system()")


def measure_lag(primary: BaseDatabaseWrapper, replica: BaseDatabaseWrapper) -> tuple[float, str]:
    """The seconds until the replica has what the primary has now, and how much is missing after MAX_LAG."""
    [(position,)] = query(primary, "SELECT pg_current_wal_lsn()::text")
    started = time.monotonic()
    while True:
        [(missing, size)] = query(
            replica,
            "SELECT missing, pg_size_pretty(missing) FROM "
            "(SELECT %s::pg_lsn - pg_last_wal_replay_lsn() AS missing) AS difference",
            position,
        )
        seconds = time.monotonic() - started
        if missing is None or missing <= 0 or seconds > MAX_LAG:
            return seconds, size
        time.sleep(0.02)


def judge_lag(seconds: float, size: str) -> CheckMessage:
    if seconds <= MAX_LAG:
        return checks.Info(f"A read replica, {seconds * 1000:.0f} ms behind the primary.")
    return checks.Warning(
        f"DATABASE_REPLICA_URL lags behind by more than {MAX_LAG} s; {size} are missing.",
        hint="Until it has caught up, the primary serves the reads of users whose tasks have changed. Check "
        "its CPU and network, and long queries that replication waits for.",
    )
