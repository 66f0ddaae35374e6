"""Wait for processes and conditions."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

TIMEOUT = 300.0
"""Seconds until a test gives up; generous, because a busy machine is not a failure."""


def is_running(pid: int) -> bool:
    with suppress(FileNotFoundError):  # a zombie has ended, but its parent has not read its exit status
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
