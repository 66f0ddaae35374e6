"""An empty Redis for tests, at `url`."""

import shutil
from pathlib import Path

from tests.support.programs import require

from .server import Server


class Redis(Server):
    def prepare(self) -> None:
        require(shutil.which("redis-server"), "no Redis: install Debian's redis-server")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str | Path]:
        options = f"--bind 127.0.0.1 --port {self.port} --dir {self.folder} --appendonly no --save"
        return ["redis-server", *options.split(), ""]

    def is_ready(self) -> bool:
        return "Ready to accept connections" in self.log
