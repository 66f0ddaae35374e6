from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts import erasure
from accounts.management.people import all_or_nothing, person
from todo_project.operations.commands import OperatorCommand


class Command(OperatorCommand):
    help = """\
Delete a person with all that is theirs, for good, and what tells of them elsewhere: failed sign-ins, and
their email and titles in the admin's history. It tells first what would go, and asks."""
    examples = """\
examples:
  manage.py erase_user ann@example.com --dry-run
  manage.py export_user ann@example.com --output ann.json && manage.py erase_user ann@example.com
  manage.py erase_user 0b8f3c1d-e5a9-4f0c-8a54-e9e1f2f7d9aa --yes

What a member of staff did stays in the admin's history, as done by "Former staff"; what staff did to the
person stays without the words. Not reached: backups, logs, the history of tasks that were deleted for good
before. All or nothing is done.

exit codes: 0 done; 1 an error, such as that there is no such person; 130 interrupted.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", metavar="EMAIL_OR_ID")
        parser.add_argument("--dry-run", action="store_true", help="tell what would go, and change nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        with all_or_nothing():
            user = person(options["person"])
            name = user.email or str(user.pk)
            self.stdout.write(f"{name}, here since {user.created_at:%Y-%m-%d}:")
            for kind, number in erasure.what_would_go(user).items():
                if number:
                    self.stdout.write(f"  {kind}: {number}")
            if options["dry_run"]:
                self.stdout.write("Nothing was changed.")
                return
            if not options["yes"]:
                self.ask(name)
            erasure.erase(user)
        self.stdout.write(self.style.SUCCESS(f"{name} is erased, with all of these."))

    def ask(self, name: str) -> None:
        self.stdout.write(f"To erase all of this for good, type {name}")
        try:
            typed = input()
        except EOFError:
            typed = ""
        if typed.strip() != name:
            raise CommandError("That is not it. Nothing was changed.")
