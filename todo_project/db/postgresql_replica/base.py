"""The PostgreSQL backend for a replica: it gives up soon, because the primary answers instead."""

from ..postgresql import base
from ..postgresql.connection import Outage


class DatabaseWrapper(base.DatabaseWrapper):
    variable = "DATABASE_REPLICA_URL"
    statement_timeout = 1
    cancel_timeout = 0.5
    retry_delays = ()
    outage = Outage(retry_interval=3)

    def is_usable(self) -> bool:
        """Without a query, for which a request would wait in vain if the server is silent."""
        return self._has_no_pending_input()
