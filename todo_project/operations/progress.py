"""Progress output of long commands."""

import time
from typing import Any

INTERVAL = 1.0
"""Seconds between two lines. A command that takes less prints none."""


class Progress:
    def __init__(self, stream: Any) -> None:
        self.stream, self.reported_at = stream, time.monotonic()

    def report(self, line: str) -> None:
        now = time.monotonic()
        if now - self.reported_at >= INTERVAL:
            self.stream.write(line, style_func=str)
            self.stream.flush()
            self.reported_at = now
