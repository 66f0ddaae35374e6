"""What the servers of the tests have in common: a temporary folder, a free port, start, stop and kill."""

import contextlib
import ctypes
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psutil

from tests.support.processes import TIMEOUT, becomes_true, is_running

PREFIX = "todo-tests-"


class ServerError(Exception):
    """A server did not start or stop, for the reason in the message."""


class Server:
    """A server on 127.0.0.1 that runs until `close` or the end of its `with` block."""

    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        # The process that ends this server, for `sweep`.
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        try:
            chown_to_server_user(self.folder)
            self.prepare()
            self.start()
            self.populate()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self) -> None:
        """Make what the server needs before its first start."""

    def populate(self) -> None:
        """Make what the server needs after its first start."""

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str | Path]:
        """Run the server in the foreground; names the folder, by which `sweep` recognises the process."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether this process, and not another server on the same port, accepts connections."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """The arguments of `subprocess` for each program of this server."""
        # PGHOST, PGOPTIONS and their like are meant for the developer's own server.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        options: dict[str, Any] = {
            "cwd": self.folder,
            "env": environment | {"HOME": str(self.folder), "LC_ALL": "C"},
        }
        if owner := server_user():
            options |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        return options

    @property
    def log(self) -> str:
        """The output since the last start."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start again after `stop` or `kill`, on the same port; does nothing if the server runs."""
        if self.process and self.process.poll() is None:
            return
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, which may still need the server to finish
                **self.options(),
            )
        (self.folder / "pid").write_text(str(self.process.pid))
        deadline = time.monotonic() + TIMEOUT
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"{self.command()[0]} did not start: {tail(self.log)}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Let the server shut down; does nothing if it does not run."""
        if self.process:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def kill(self) -> None:
        """End the server as a crash does; does nothing if it does not run."""
        if self.process and self.process.poll() is None:
            kill(self.process.pid)
            self.process.wait()

    def suspend(self) -> None:
        """Let the server fall silent: its kernel still accepts connections and data."""
        assert self.process
        suspend(psutil.Process(self.process.pid))

    def resume(self) -> None:
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def processes(self) -> list[psutil.Process]:
        assert self.process
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]

    def close(self) -> None:
        """Stop the server and delete everything it wrote."""
        try:
            self.stop()
        finally:
            remove(self.folder)

    def run(self, *command: str | Path) -> None:
        """Run a program to its end."""
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, check=False, **self.options()
        )
        if ended.returncode:
            raise ServerError(f"{command[0]} failed: {tail(ended.stdout + ended.stderr)}")


def server_user() -> pwd.struct_passwd | None:
    """The user to run servers as if the tests run as root, which PostgreSQL and PgBouncer refuse."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def chown_to_server_user(path: Path) -> None:
    """Make the servers' user the owner of a file, or of a folder and everything in it."""
    if owner := server_user():
        for each in [path, *path.rglob("*")]:
            os.chown(each, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def free_port() -> int:
    """A port that no server listens on."""
    # Below the ports of outgoing connections, so that none of them takes it while the server is stopped.
    # Not the generator that pytest-randomly seeds: parallel test runs would choose the same ports.
    ports = random.SystemRandom()
    while True:
        port = ports.randrange(20_000, 32_768)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def tail(output: str) -> str:
    """The last lines of an output, as one line."""
    return " | ".join(line.strip() for line in output.splitlines()[-8:] if line.strip()) or "no output"


def kill(pid: int) -> None:
    """Kill a process and all that it started: a busy backend of PostgreSQL survives its postmaster."""
    processes = suspend(psutil.Process(pid))
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert becomes_true(lambda: not any(is_running(process.pid) for process in processes))


def suspend(main: psutil.Process) -> list[psutil.Process]:
    """Suspend a process and all that it started. PostgreSQL's processes may end meanwhile."""
    main.suspend()  # From now on it starts no others.
    processes = [main, *main.children(recursive=True)]
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    return processes


def remove(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        # A killed PostgreSQL leaves a segment of shared memory; the seventh line says "key id".
        segment = int((folder / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1])
        ipc_rmid = 0
        ctypes.CDLL(None).shmctl(segment, ipc_rmid, None)
    shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """End the servers of test runs that were killed, and delete their folders."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if psutil.pid_exists(int(owner)):
            continue
        with contextlib.suppress(OSError, psutil.Error):  # no longer there, or another user's
            pid = int((folder / "pid").read_text())
            if any(str(folder) in argument for argument in psutil.Process(pid).cmdline()):
                kill(pid)
        remove(folder)
