"""Run functions in several threads at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def run_each(*functions: Callable[[], T]) -> list[T]:
    """Start all functions at the same moment, each with its own connection; return their results in order."""
    barrier = threading.Barrier(len(functions))

    def run(function: Callable[[], T]) -> T:
        try:
            barrier.wait()
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def run_together(number: int, function: Callable[[], T]) -> list[T]:
    """Call the function `number` times at once."""
    return run_each(*[function] * number)
