"""A throw-away Redis: `Redis` for the tests, or `python redis.py` for a person."""

import argparse
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from .keeper import Kept, Server, ServerError, keep
else:  # run as a script, with this folder as the first to import from
    from keeper import Kept, Server, ServerError, keep

MISSING = "No Redis was found: install the Debian package redis-server."

HELP = """\
Run a Redis that keeps nothing, on a free port of 127.0.0.1, for as long as this program runs. It prints the
address for CACHE_URL and stops the server at Ctrl-D or Ctrl-C.
"""


class Redis(Kept):
    """An empty Redis for tests, at `url`."""

    def __init__(self) -> None:
        super().__init__(__file__)


def find_redis() -> str | None:
    return shutil.which("redis-server")


class RedisServer(Server):
    name = "Redis"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str | Path]:
        program = find_redis()
        if program is None:
            raise ServerError(MISSING)
        return [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]

    def is_ready(self) -> bool:
        return b"Ready to accept connections" in self.log.read_bytes()


def main() -> None:
    argparse.ArgumentParser(
        description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    keep("redis", RedisServer)


if __name__ == "__main__":
    main()
