"""What the launchers in this folder share: a server that cannot outlive the tests it was started for.

Each launcher has two halves. The *keeper* is a small process that owns one server and its temporary folder:
it starts the server, prints its URL, obeys one-line commands and, when its input ends, stops the server and
deletes the folder. `Kept` is the half that tests use: it starts the keeper as a child and holds its input.
However that parent ends, `kill -9` included, the system then closes the input, and the keeper clears up.
"""

import contextlib
import os
import pwd
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

STEP_WITHIN = 60.0
"""Seconds that one step of a keeper may take: preparing a server, starting it, stopping it."""

ANSWER_WITHIN = 5 * STEP_WITHIN
"""Seconds that `Kept` waits for its keeper, whose own limits come first and have the better words."""

POLL_EVERY = 0.02
PORT_TRIES = 10


class ServerError(Exception):
    """A server did not do what it was asked to; the text says why, in one line."""


class PortTakenError(ServerError):
    """Somebody else listens on the port."""


# ----------------------------------------------------------------------------- the account servers run as


def account() -> pwd.struct_passwd | None:
    """Whom to run servers as when root asks for them, which they refuse to serve; None: just as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError("Servers do not run as root, and there is no user postgres or nobody to run them as.")


def give(path: Path) -> None:
    """Make a file of ours, or a folder and all it holds, the property of the servers' account."""
    owner = account()
    if owner is None:
        return
    for each in [path, *path.rglob("*")]:
        os.chown(each, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def circumstances(folder: Path) -> dict[str, Any]:
    """The arguments of `subprocess` that every program a keeper starts has in common."""
    # PGHOST, PGOPTIONS and their like are meant for the person's own server, not for this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    common: dict[str, Any] = {
        "cwd": folder,
        "env": environment | {"HOME": str(folder), "LC_ALL": "C"},
        "stdin": subprocess.DEVNULL,
        "start_new_session": True,
    }
    if (owner := account()) is not None:
        common |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    return common


def run(command: Sequence[str | Path], folder: Path) -> None:
    """Run a program to its end; if that is a bad one, the error tells what the program said."""
    name = Path(command[0]).name
    try:
        subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=True,
            timeout=STEP_WITHIN,
            **circumstances(folder),
        )
    except OSError as error:
        raise ServerError(f"{command[0]} cannot be run: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{name} did not finish within {STEP_WITHIN:.0f} seconds.") from error
    except subprocess.CalledProcessError as error:
        raise ServerError(f"{name} failed: {tail(error.stdout)}") from error


def tail(output: bytes) -> str:
    """The last lines of an output, as one line."""
    lines = output.decode(errors="replace").splitlines()
    return " | ".join(line.strip() for line in lines[-8:] if line.strip()) or "it said nothing."


# ------------------------------------------------------------------------------------------- one server


class Server(ABC):
    """A server on 127.0.0.1, run by this process, with all that it writes in one folder."""

    name: str
    stop_signal: signal.Signals

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._held = -1

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def command(self) -> list[str | Path]:
        """How to run the server in the foreground, on its port."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the running process, and not another server on the same port, accepts connections."""

    def open(self) -> None:
        """Start for the first time, on a free port, which from then on stays the same."""
        for _ in range(PORT_TRIES):
            self.port = pick_port()
            with contextlib.suppress(PortTakenError):
                return self.start()
        raise ServerError(f"{self.name} found no free port on 127.0.0.1 in {PORT_TRIES} tries.")

    def start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        self.kill()  # one that ended by itself may have left something
        self.process = self._launch()
        self._wait_until_ready(self.process)

    def stop(self) -> None:
        """Let the server end in good order."""
        if self.process is None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(STEP_WITHIN)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise ServerError(f"{self.name} did not stop and had to be killed.") from error
        self.forget()

    def kill(self) -> None:
        """Let the server end as in a crash."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.forget()

    def _launch(self) -> subprocess.Popen[bytes]:
        command = self.command()
        # Every process of the server inherits the other end of this pipe, which so closes with the last one.
        self._held, inherited = os.pipe()
        try:
            with self.log.open("wb") as log:
                return subprocess.Popen(
                    command, stdout=log, stderr=log, pass_fds=[inherited], **circumstances(self.folder)
                )
        except OSError as error:
            os.close(self._held)
            raise ServerError(f"{command[0]} cannot be run: {error.strerror}.") from error
        finally:
            os.close(inherited)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + STEP_WITHIN
        while not self.is_ready():
            ended = process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.kill()
                raise self._failure(
                    "did not start" if ended else f"was not ready in {STEP_WITHIN:.0f} seconds"
                )
            time.sleep(POLL_EVERY)

    def _failure(self, what: str) -> ServerError:
        said = self.log.read_bytes()
        kind = PortTakenError if b"Address already in use" in said else ServerError
        return kind(f"{self.name} {what}: {tail(said)}")

    def forget(self) -> None:
        """Make sure that with its first process the whole server has gone."""
        deadline = time.monotonic() + STEP_WITHIN
        while not select.select([self._held], [], [], 0)[0]:
            # A killed PostgreSQL leaves its backends; one that is busy would not notice for a long time.
            for pid in processes_holding(self._held):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} ended, but processes that it had started did not.")
            time.sleep(POLL_EVERY)
        os.close(self._held)
        self.process = None


def pick_port() -> int:
    """A port that may well be free; whether it is only the server itself can tell without a race."""
    # Below those that outgoing connections get, so that none of them takes it while the server is stopped.
    return random.randrange(20_000, 32_768)


def processes_holding(pipe: int) -> Iterator[int]:
    """The other processes that have an end of this pipe, as far as the system tells (Linux does)."""
    name = f"pipe:[{os.fstat(pipe).st_ino}]"
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ends just now, or is none of ours
            open_files = {str(descriptor.readlink()) for descriptor in (process / "fd").iterdir()}
            if name in open_files and int(process.name) != os.getpid():
                yield int(process.name)


# ------------------------------------------------------------------------------------------ the keeper


def keep(name: str, create: Callable[[Path], Server]) -> None:
    """Run a server until the input ends or a signal comes, then leave nothing of it."""
    signalled = catch_signals()
    try:
        with tempfile.TemporaryDirectory(prefix=f"todo-{name}-") as folder:
            give(Path(folder))
            serve(create(Path(folder)), signalled)
    except ServerError as error:
        sys.exit(str(error))


def serve(server: Server, signalled: int) -> None:
    try:
        server.open()
        say(server.url)
        for command in commands(signalled):
            say(obey(server, command))
    finally:
        server.stop()


def obey(server: Server, command: str) -> str:
    actions = {"start": server.start, "stop": server.stop, "kill": server.kill}
    if command not in actions:
        return f"error: {command!r} is not one of {', '.join(actions)}."
    try:
        actions[command]()
    except ServerError as error:
        return f"error: {error}"
    return "ok"


def catch_signals() -> int:
    """A file that becomes readable when a signal asks this process to end, which then interrupts nothing."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return readable


def commands(signalled: int) -> Iterator[str]:
    """The lines of the input, up to its end or a signal."""
    # Unbuffered: `select` knows nothing of a line that already waits in a buffer.
    with open(0, "rb", buffering=0, closefd=False) as lines:
        while signalled not in select.select([0, signalled], [], [])[0] and (line := lines.readline()):
            yield line.decode().strip()


def say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more: then the input has ended, too
        os.write(1, f"{line}\n".encode())


# --------------------------------------------------------------------------------- the half in the tests


class Kept:
    """A server in the hands of a keeper: it runs once created, and is gone after `close` or its `with`."""

    def __init__(self, script: str, *arguments: str) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, script, *arguments],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the tests, which may still need the server to finish
        )
        self._closed = False
        try:
            self.url = self._answer()
        except BaseException:
            with contextlib.suppress(ServerError):
                self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start again after `stop` or `kill`, on the same port; does nothing if the server runs."""
        self._ask("start")

    def stop(self) -> None:
        """End the server in good order; does nothing if it does not run."""
        self._ask("stop")

    def kill(self) -> None:
        """End the server as in a crash; does nothing if it does not run."""
        self._ask("kill")

    def close(self) -> None:
        """End the server and delete all that it wrote."""
        if self._closed:
            return
        self._closed = True
        # The end of the input alone might not do: a child forked by the tests can hold a copy of it.
        self._keeper.terminate()
        _, complaint = self._keeper.communicate(timeout=ANSWER_WITHIN)
        if self._keeper.returncode != 0:
            raise ServerError(complaint.decode().strip())

    def _ask(self, command: str) -> None:
        assert self._keeper.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the missing answer says more
            self._keeper.stdin.write(f"{command}\n".encode())
        answer = self._answer()
        if answer != "ok":
            raise ServerError(answer.removeprefix("error: "))

    def _answer(self) -> str:
        assert self._keeper.stdout is not None
        assert self._keeper.stderr is not None
        if not select.select([self._keeper.stdout], [], [], ANSWER_WITHIN)[0]:
            raise ServerError(f"The keeper gave no answer within {ANSWER_WITHIN:.0f} seconds.")
        line = self._keeper.stdout.readline()
        if not line:
            raise ServerError(self._keeper.stderr.read().decode().strip() or "The keeper has ended.")
        return line.decode().strip()
