"""Run the same function in several threads at once."""

import threading
from collections.abc import Callable
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def run_together(number: int, work: Callable[[], T]) -> list[T]:
    """Start `number` threads at the same moment, each with its own connection; return their results."""
    barrier = threading.Barrier(number)
    results: list[T] = []

    def run() -> None:
        try:
            barrier.wait()
            results.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
