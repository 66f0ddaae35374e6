"""Whether Citus distributes the tables over several servers. It needs other statements in a few places."""

from functools import cache

from django.db import connection


@cache
def is_distributed() -> bool:
    if connection.vendor != "postgresql":
        return False
    connection.ensure_connection()
    with connection.wrap_database_errors:
        # Without a cursor, because it is a query of this process and not of the request that comes first.
        found = connection.connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'citus'")
        return found.fetchone() is not None
