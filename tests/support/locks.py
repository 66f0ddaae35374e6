"""Who waits for whom in the database."""

from django.db import connection


def lock_is_awaited() -> bool:
    """PostgreSQL tells of a lock that is not granted; this test's are the only clients of its server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])
