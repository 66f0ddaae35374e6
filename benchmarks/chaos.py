#!/usr/bin/env python3
"""Cause faults of gunicorn, PgBouncer and PostgreSQL under load, and compare what the server acknowledged.

    python benchmarks/chaos.py                        each fault three times
    python benchmarks/chaos.py --tries 10 --minutes 30 "kill -9 of PostgreSQL"
    python benchmarks/chaos.py --hosts                three hosts behind nginx, with one PostgreSQL and Redis
    python benchmarks/chaos.py --citus /usr/lib/postgresql/16/bin

Prints a table, and exits with 1 if an acknowledged write was lost or doubled, a copy made from the sync feed
differs from the server, or a client got a status that does not say that it may try again.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.chaos import Result, Servers, Stack, table, try_fault
from tests.support.citus import Citus
from tests.support.hosts import Hosts


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="by default all")
    parser.add_argument("--hosts", action="store_true", help="three hosts behind nginx")
    parser.add_argument("--citus", type=Path, metavar="DIRECTORY", help="programs of a PostgreSQL with Citus")
    parser.add_argument("--tries", type=int, default=3, help="of each fault (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=10, help="start no try after (default: %(default)s)")
    options = parser.parse_args()
    servers: Servers = Citus(options.citus) if options.citus else Hosts() if options.hosts else Stack()
    if unknown := set(options.faults) - servers.faults.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}. Choose from {', '.join(servers.faults)}.")
    results = {name: Result() for name in options.faults or servers.faults}
    deadline = time.monotonic() + 60 * options.minutes
    with servers:
        for _ in range(options.tries):
            for name, result in results.items():
                if time.monotonic() < deadline:
                    print(f"{name} …", file=sys.stderr)
                    try_fault(servers, name, result)
    print(table(results))
    return 0 if all(result.is_good for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
