from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from accounts.importing import load
from accounts.management.people import all_or_nothing
from accounts.models import User
from accounts.sessions import printable
from todo_project.operations.commands import OperatorCommand
from todo_project.operations.importing import NotImportable, Outcome
from todo_project.operations.progress import Progress

KEEP, REPLACE = "keep", "replace"


class Command(OperatorCommand):
    help = """\
Read again what `export_user` or GET /me/export wrote: the profile, outside identities and tasks, with their
ids and times. Tasks get new versions, in the old order. What is here already and equal is left alone. Not
restored are the password, sessions and tokens, which an export does not have, and rights as staff."""
    examples = """\
examples:
  manage.py import_user ann.json --dry-run                  what it would change
  manage.py import_user ann.json                            refused if anything here differs from the file
  manage.py import_user ann.json --into ann@example.com --on-conflict keep      only what is missing here
  manage.py import_user ann.json --into ann@example.com --on-conflict replace   everything as in the file

A file says itself whose it is. So take only files that you trust; and an account that is here already is
written only if --into names it.

A file that is broken is refused with the place, such as tasks.17.title. All is imported, or nothing.

exit codes: 0 done; 1 an error; 130 interrupted.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--dry-run", action="store_true", help="tell what would change, and change nothing"
        )
        parser.add_argument(
            "--into",
            metavar="EMAIL_OR_ID",
            help="whose account it may write, if there is one already; staff's are never written",
        )
        parser.add_argument(
            "--on-conflict",
            choices=[KEEP, REPLACE],
            help="keep what is here with other values, or replace it by the file's; without this, refuse",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        policy = options["on_conflict"]
        with all_or_nothing(), transaction.atomic():
            user, outcomes = self.load(options["file"], options["into"], replace=policy == REPLACE)
            self.stdout.write(f"{user}: {'a new account' if outcomes['profile'].new else 'is here already'}")
            for section, outcome in outcomes.items():
                numbers = f"{outcome.new} new, {outcome.equal} equal, {outcome.differ} with other values"
                self.stdout.write(f"{section}: {numbers}")
            if not policy and any(outcome.differ for outcome in outcomes.values()):
                raise CommandError(
                    "Some are here with other values, so nothing was changed. "
                    "Choose --on-conflict keep or replace."
                )
            if options["dry_run"]:
                transaction.set_rollback(True)
        self.stdout.write("Nothing was changed." if options["dry_run"] else self.done(user, outcomes))

    def load(self, path: Path, into: str | None, *, replace: bool) -> tuple[User, dict[str, Outcome]]:
        try:
            with path.open(encoding="utf-8") as file:
                return load(file, into=into, replace=replace, progress=Progress(self.stderr).tell)
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error}") from error
        except NotImportable as error:
            raise CommandError(f"{printable(str(error))[:500]} Nothing was changed.") from error

    def done(self, user: User, outcomes: dict[str, Outcome]) -> str:
        told = f"{user} is imported."
        if outcomes["profile"].new:
            told += " There is no password yet: it has to be reset, by email or in the admin."
        return self.style.SUCCESS(told)
