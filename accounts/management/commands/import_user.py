from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from accounts.importing import load
from accounts.models import User
from accounts.sessions import printable
from todo_project.operations.commands import OperatorCommand
from todo_project.operations.importing import NotImportable, Outcome
from todo_project.operations.progress import Progress

KEEP, REPLACE = "keep", "replace"


class Command(OperatorCommand):
    help = """\
Import what `export_user` or GET /me/export wrote: the profile, identities and tasks, with their ids and
times. Tasks get new versions in the old order. Rows that already exist with the same values are left alone.
Passwords, sessions and tokens are not restored, because an export does not contain them, and neither are
staff rights."""
    examples = """\
examples:
  manage.py import_user ann.json --dry-run                  show what would change
  manage.py import_user ann.json                            fails if an existing row differs from the file
  manage.py import_user ann.json --into ann@example.com --on-conflict keep      add only missing rows
  manage.py import_user ann.json --into ann@example.com --on-conflict replace   overwrite rows that differ

The file itself names the account that it belongs to. Import only files that you trust. An existing account is
changed only if --into names it.

An error in the file is reported with its place, such as tasks.17.title. Either everything is imported or
nothing.

exit codes: 0 success; 1 error; 130 interrupted.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would change, without changing it"
        )
        parser.add_argument(
            "--into",
            metavar="EMAIL_OR_ID",
            help="existing account that the import may change; staff accounts are never changed",
        )
        parser.add_argument(
            "--on-conflict",
            choices=[KEEP, REPLACE],
            help="keep or replace existing rows that differ from the file (default: fail)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        policy = options["on_conflict"]
        with transaction.atomic():
            user, outcomes = self.load(options["file"], options["into"], replace=policy == REPLACE)
            self.stdout.write(f"{user}: {'new account' if outcomes['profile'].new else 'existing account'}")
            for section, outcome in outcomes.items():
                numbers = f"{outcome.new} new, {outcome.equal} equal, {outcome.differ} different"
                self.stdout.write(f"{section}: {numbers}")
            if not policy and any(outcome.differ for outcome in outcomes.values()):
                raise CommandError(
                    "Some records already exist with different values; nothing was changed. "
                    "Choose --on-conflict keep or replace."
                )
            if options["dry_run"]:
                transaction.set_rollback(True)
        if not options["dry_run"]:
            self.state_after_failure = "The import is complete."
        self.stdout.write("Nothing was changed." if options["dry_run"] else self.summary(user, outcomes))

    def load(self, path: Path, into: str | None, *, replace: bool) -> tuple[User, dict[str, Outcome]]:
        try:
            with path.open(encoding="utf-8") as file:
                return load(file, into=into, replace=replace, progress=Progress(self.stderr).report)
        except OSError as error:
            raise CommandError(f"The file {path} cannot be read: {error.strerror or error}.") from error
        except NotImportable as error:
            raise CommandError(f"{printable(str(error))[:500]} {self.state_after_failure}") from error

    def summary(self, user: User, outcomes: dict[str, Outcome]) -> str:
        summary = f"{user} has been imported."
        if outcomes["profile"].new:
            summary += " The account has no password: reset it by email or set one in the admin."
        return self.style.SUCCESS(summary)
