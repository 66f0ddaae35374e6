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

from accounts.export import snapshot, stream
from accounts.management.people import all_or_nothing, person
from todo_project.operations.commands import OperatorCommand
from todo_project.operations.progress import Progress


class Command(OperatorCommand):
    help = """\
Write everything a person owns as one JSON object: the same as GET /me/export. `import_user` reads it
again. Passwords and tokens are kept as hashes only and are not in it."""
    examples = """\
examples:
  manage.py export_user ann@example.com --output ann.json
  manage.py export_user 0b8f3c1d-e5a9-4f0c-8a54-e9e1f2f7d9aa | gzip > ann.json.gz

On PostgreSQL all of it is of one moment, on SQLite each section is. The file appears when it is whole, and
only you can read it. Until then it is beside it as .FILE.XXXXXXXX; nothing but a SIGKILL, or a machine that
stops, leaves that there: delete it, it holds what a person owns.

exit codes: 0 done; 1 an error; 130 interrupted; 143 ended by SIGTERM.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", metavar="EMAIL_OR_ID")
        parser.add_argument("--output", type=Path, metavar="FILE", help="write to FILE, not to the terminal")
        parser.add_argument("--force", action="store_true", help="replace FILE if it is there already")

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path | None = options["output"]
        if output and output.exists() and not output.is_file():
            raise CommandError(f"{output} is no file that could be replaced. Choose another name.")
        if output and output.exists() and not options["force"]:
            raise CommandError(f"{output} is there already. Choose another name, or --force to replace it.")
        with all_or_nothing(), snapshot():
            pieces = self.counted(stream(person(options["person"])))
            try:
                self.write_file(output, pieces) if output else self.write_out(pieces)
            except OSError as error:
                raise CommandError(f"This could not be written: {error}") from error
        self.stderr.write(f"Wrote {self.size} bytes{f' to {output}' if output else ''}.", style_func=str)

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        self.size, progress = 0, Progress(self.stderr)
        for piece in pieces:
            yield piece
            self.size += len(piece)
            progress.tell(f"{self.size // 1_000_000} MB so far")

    def write_out(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.stdout.write(piece.decode(), ending="")

    def write_file(self, output: Path, pieces: Iterable[bytes]) -> None:
        """Under another name until it is whole. Such a file is made for its owner's eyes only."""
        with ended_in_order():
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
def ended_in_order() -> Iterator[None]:
    """SIGTERM, which ends a process at once, ends it by way of each `finally` here."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python tells no other thread of signals.
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
