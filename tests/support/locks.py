"""Who waits for whom in the database."""

from django.db import connection

WAITING = """
    SELECT EXISTS (
        SELECT FROM pg_locks AS waiting
        JOIN pg_locks AS held USING (pid)
        JOIN pg_database ON pg_database.oid = held.database
        WHERE NOT waiting.granted AND datname = current_database()
    )
"""


def lock_is_awaited() -> bool:
    """Whether a connection to this test's database waits for a lock."""
    # pg_stat_activity would say so too, but within a transaction always the same.
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return bool(cursor.fetchone()[0])
