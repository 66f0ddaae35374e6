"""Serves the requests of each sender in turn, so that one with many connections does not delay the others."""

import os
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Any


class FairQueue:
    """Connections with a complete request.

    Its file descriptor is readable while some are left after take().
    """

    def __init__(self) -> None:
        self.connections: OrderedDict[Hashable, deque[Any]] = OrderedDict()
        """Of each sender, in the order in which the senders are served."""
        self.event = os.eventfd(0, os.EFD_CLOEXEC)
        self.is_readable = False

    def __bool__(self) -> bool:
        return bool(self.connections)

    def fileno(self) -> int:
        return self.event

    def put(self, conn: Any) -> None:
        if (connections := self.connections.get(conn.sender)) is None:
            connections = self.connections[conn.sender] = deque()
        connections.append(conn)

    def take(self) -> Any:
        sender, connections = self.connections.popitem(last=False)
        conn = connections.popleft()
        if connections:
            self.connections[sender] = connections
        if self.connections and not self.is_readable:
            os.eventfd_write(self.event, 1)
        elif self.is_readable and not self.connections:
            os.eventfd_read(self.event)
        self.is_readable = bool(self.connections)
        return conn
