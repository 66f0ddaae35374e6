from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts import erasure
from accounts.management.people import find_user
from todo_project.operations.commands import OperatorCommand


class Command(OperatorCommand):
    help = """\
Permanently delete a user with all their data. This includes mentions of them elsewhere: failed sign-ins, and
their email and titles in the admin's history. It lists what would be deleted and asks for confirmation."""
    examples = """\
examples:
  manage.py erase_user ann@example.com --dry-run
  manage.py export_user ann@example.com --output ann.json && manage.py erase_user ann@example.com
  manage.py erase_user 0b8f3c1d-e5a9-4f0c-8a54-e9e1f2f7d9aa --yes

The history keeps what a staff member did, under the name "Former staff", and what staff did to the user,
without names and titles. Not reached: backups, logs, and the history of tasks that were purged earlier.
Either everything is deleted or nothing.

exit codes: 0 success; 1 error, for example no such user; 130 interrupted.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="EMAIL_OR_ID")
        parser.add_argument("--dry-run", action="store_true", help="only list what would be deleted")
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")

    def handle(self, *args: Any, **options: Any) -> None:
        user = find_user(options["user"])
        name = user.email or str(user.pk)
        self.stdout.write(f"{name}, registered on {user.created_at:%Y-%m-%d}:")
        for kind, number in erasure.count_erased(user).items():
            if number:
                self.stdout.write(f"  {kind}: {number}")
        if options["dry_run"]:
            self.stdout.write("Nothing was changed.")
            return
        if not options["yes"]:
            self.confirm(name)
        erasure.erase(user)
        self.state_after_failure = "The user has been erased."
        self.stdout.write(self.style.SUCCESS(f"{name} and everything listed above has been erased."))

    def confirm(self, name: str) -> None:
        self.stdout.write(f"To erase all of this permanently, type {name}")
        try:
            answer = input()
        except EOFError:
            answer = ""
        if answer.strip() != name:
            raise CommandError(f"The answer does not match. {self.state_after_failure}")
