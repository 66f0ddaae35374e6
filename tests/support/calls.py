"""What a request costs, in a number that does not depend on the machine."""

import gc
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any


def python_calls(send: Callable[..., Any], *arguments: Any) -> int:
    """The number of calls of Python functions, after two requests that fill caches."""
    send(*arguments), send(*arguments)
    events: Counter[str] = Counter()

    def count(frame: Any, event: str, argument: Any) -> None:
        events[event] += 1

    gc.disable()  # It calls functions, too.
    sys.setprofile(count)
    try:
        send(*arguments)
    finally:
        sys.setprofile(None)
        gc.enable()
    return events["call"]
