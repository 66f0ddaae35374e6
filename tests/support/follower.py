"""A client that reads only the sync feed."""

import time
from collections.abc import Callable
from threading import Event
from typing import Any

from .processes import TIMEOUT


class Follower:
    def __init__(self, caller: Callable[[str, str], Any], limit: int) -> None:
        """`caller` takes the method and the path of a request, and returns the response."""
        self.caller, self.limit = caller, limit
        self.copy: dict[str, Any] = {}
        self.since, self.resyncs = "0", 0

    def step(self) -> bool:
        """Read one page; return whether there are more."""
        response = self.caller("GET", f"/sync?since={self.since}&limit={self.limit}")
        if response.status_code == 410:
            self.copy, self.since, self.resyncs = {}, "0", self.resyncs + 1
            return True
        assert response.status_code == 200, response.content
        page = response.json()
        for change in page["changes"]:
            if change.get("purged"):
                self.copy.pop(change["id"], None)
            else:
                self.copy[change["id"]] = change
        self.since = page["since"]
        return bool(page["has_more"])

    def follow(self, stop: Event) -> None:
        deadline = time.monotonic() + TIMEOUT
        while not stop.is_set() or self.step():
            assert time.monotonic() < deadline
            self.step()
