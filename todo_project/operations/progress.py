"""Words for whoever waits for a command."""

import time
from typing import Any

EVERY = 1.0
"""Seconds between two lines. What is done sooner needs none."""


class Progress:
    def __init__(self, stream: Any) -> None:
        self.stream, self.reported_at = stream, time.monotonic()

    def tell(self, line: str) -> None:
        now = time.monotonic()
        if now - self.reported_at >= EVERY:
            self.stream.write(line, style_func=str)
            self.stream.flush()
            self.reported_at = now
