"""Django's PostgreSQL backend, patient for a moment with a compute that is waking."""

import time
from collections.abc import Mapping
from typing import Any

import psycopg
from django.db.backends.postgresql import base

# Waits before the second, third and fourth attempt. Short, because a request's thread sleeps through them;
# a compute that needs longer is answered with 503 and Retry-After.
PAUSES = (0.1, 0.25, 0.5)

# What the server says to a caller it knows and refuses. Waiting changes none of it.
FINAL = ("authentication failed", "does not exist", "no pg_hba.conf entry", "is not permitted")


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: Mapping[str, Any]) -> psycopg.Connection[Any]:
        """Connect; only this is tried again, because a statement that was sent may have taken effect."""
        started = time.monotonic()
        for pause in PAUSES:
            try:
                return super().get_new_connection(conn_params)
            except psycopg.OperationalError as error:
                out_of_time = time.monotonic() - started > sum(PAUSES)
                if out_of_time or any(words in str(error) for words in FINAL):
                    raise
            time.sleep(pause)
        return super().get_new_connection(conn_params)
