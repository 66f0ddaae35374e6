#!/usr/bin/env python3
"""Cause faults of a read replica under load, and measure what it saves the primary.

    python benchmarks/replica.py                     each fault, and the cost
    python benchmarks/replica.py --seconds 5 suspended "kill -9"
    python benchmarks/replica.py --cost              only the cost

Users write and read after each write, and a follower of each copies the sync feed: before, during and after
the fault, for so many seconds each. Prints a table, and exits with 1 if an answer was stale or an error.

The cost is the processor time of each server for a page of 50 tasks. Servers with and without a replica take
turns; the kernel's clock of each process tells its time, and the client does not count.
"""

import argparse
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.load import encode, processor_times, seconds_between, send
from tests.support.replicas import API, FAULTS, Result, Stack, sign_up, table, try_fault
from tests.support.servers.gunicorn import Gunicorn

ROUNDS = 7
TASKS = 100


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"by default all: {', '.join(FAULTS)}")
    parser.add_argument("--seconds", type=float, default=2, help="(default: %(default)s)")
    parser.add_argument("--cost", action="store_true", help="cause no faults")
    options = parser.parse_args()
    if unknown := set(options.faults) - FAULTS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}. Choose from {', '.join(FAULTS)}.")
    results: dict[str, Result] = {}
    with Stack() as stack:
        if options.cost or not options.faults:
            print(cost(stack, options.seconds))
        if options.cost:
            return 0
        for name in options.faults or FAULTS:
            print(f"{name} …", file=sys.stderr)
            results[name] = try_fault(stack, name, seconds=options.seconds)
    print(table(results))
    return 1 if any(each.stale or each.errors for each in results.values()) else 0


def cost(stack: Stack, seconds: float) -> str:
    """A table of milliseconds per request: the medians of slices in turn."""
    user = sign_up(stack.gunicorn, Result())
    for number in range(TASKS):
        user("POST", "/tasks", {"title": f"Task {number}", "description": "A description. " * 5})
    stack.wait_until_served()
    page = encode("GET", f"{API}/tasks?limit=50", {"Authorization": f"Bearer {user.token}"})
    lines = ["| page of 50 | server | primary | replica |", "| --- | ---: | ---: | ---: |"]
    with Gunicorn(DATABASE_URL=stack.postgres.url) as alone, ProcessPoolExecutor(1) as client:
        servers = {"without a replica": alone, "with a replica": stack.gunicorn}
        slices: dict[str, list[list[float]]] = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, server in servers.items():
                measured = (server, stack.postgres, stack.standby)
                before = [processor_times(each.processes()) for each in measured]
                load = client.submit(send, server.port, [[page]] * 2, seconds).result(seconds + 120)
                after = [processor_times(each.processes()) for each in measured]
                assert {*load.statuses} == {200}, load.statuses
                used = map(seconds_between, before, after)
                slices[name].append([each * 1000 / len(load.seconds) for each in used])
        for name, rounds in slices.items():
            medians = (statistics.median(column) for column in zip(*rounds, strict=True))
            lines.append(f"| {name} | {' | '.join(f'{each:.2f} ms' for each in medians)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
