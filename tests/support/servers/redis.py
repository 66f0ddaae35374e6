"""An empty Redis for tests, at `url`."""

import shutil
from pathlib import Path

from .server import Server


def find_redis() -> str | None:
    return shutil.which("redis-server")


class Redis(Server):
    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str | Path]:
        options = f"--bind 127.0.0.1 --port {self.port} --dir {self.folder} --appendonly no --save"
        return [find_redis() or "redis-server", *options.split(), ""]

    def is_ready(self) -> bool:
        return "Ready to accept connections" in self.log
