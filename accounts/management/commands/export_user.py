import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.management.people import find_user
from todo_project.operations.commands import OperatorCommand
from todo_project.operations.exporting import snapshot, stream
from todo_project.operations.progress import Progress


class Command(OperatorCommand):
    help = """\
Write all data of a user as one JSON object, the same as GET /me/export. `import_user` imports it again.
Passwords and tokens are stored only as hashes and are left out."""
    examples = """\
examples:
  manage.py export_user ann@example.com --output ann.json
  manage.py export_user 0b8f3c1d-e5a9-4f0c-8a54-e9e1f2f7d9aa | gzip > ann.json.gz

On PostgreSQL all sections are read at the same point in time; on SQLite, each section is. The file appears
when it is complete, and only you can read it. Until then its name is .FILE.XXXXXXXX. Only SIGKILL or a
crash of the machine leaves that file behind; delete it, because it contains a user's data.

exit codes: 0 success; 1 error; 130 interrupted; 143 ended by SIGTERM.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="EMAIL_OR_ID")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="write to FILE instead of standard output"
        )
        parser.add_argument("--force", action="store_true", help="replace FILE if it exists")

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path | None = options["output"]
        if output and not output.parent.is_dir():
            raise CommandError(f"The folder {output.parent} does not exist.")
        if output and output.exists() and not output.is_file():
            raise CommandError(f"{output} is not a regular file. Choose another name.")
        if output and output.exists() and not options["force"]:
            raise CommandError(f"{output} already exists. Choose another name, or use --force to replace it.")
        with snapshot():
            pieces = self.counted(stream(find_user(options["user"])))
            try:
                self.write_file(output, pieces) if output else self.write_to_stdout(pieces)
            except OSError as error:
                raise CommandError(f"The export could not be written: {error.strerror or error}.") from error
        self.stderr.write(f"Wrote {self.size} bytes{f' to {output}' if output else ''}.", style_func=str)

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        self.size, progress = 0, Progress(self.stderr)
        for piece in pieces:
            yield piece
            self.size += len(piece)
            progress.report(f"{self.size // 1_000_000} MB so far")

    def write_to_stdout(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.stdout.write(piece.decode(), ending="")

    def write_file(self, output: Path, pieces: Iterable[bytes]) -> None:
        """Under a temporary name until it is complete. mkstemp() makes it readable for its owner only."""
        with exit_on_sigterm():
            handle, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.writelines(pieces)
                    file.flush()
                    os.fsync(handle)
                Path(name).replace(output)
            finally:
                Path(name).unlink(missing_ok=True)


@contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """Make SIGTERM raise SystemExit, so that `finally` blocks run; by default it ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread can handle signals.
        return
    previous = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous or signal.SIG_DFL)
