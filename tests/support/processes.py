"""What is to be known of programs that run beside the tests."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

TIMEOUT = 300.0
"""Seconds until a test gives up; generous, because a busy machine is no failure."""


def is_running(pid: int) -> bool:
    with suppress(FileNotFoundError):  # the system may take its time to bury the dead
        if ") Z " in Path(f"/proc/{pid}/stat").read_text():
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
