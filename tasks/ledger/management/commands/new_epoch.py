from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandParser

from tasks.ledger.epochs import start_new_epochs
from todo_project.operations.commands import OperatorCommand
from todo_project.operations.progress import Progress


class Command(OperatorCommand):
    help = """\
Make the clients of all users start over. Run it after the database was restored from a backup, before the
web processes start.

A restored database assigns the same versions again, to other changes. This command gives each user a new
epoch and skips a million versions: each syncing client gets 410 once and reads everything again, no list is
304 for an ETag of before, and no If-Match of before matches a later version. It changes no task.
"""
    examples = """\
examples:
  manage.py new_epoch --dry-run    count the users
  manage.py new_epoch

exit codes: 0 success; 1 error; 130 interrupted. After 1 and 130 run it again: it must reach all users, and
a user that it reaches twice only gets another epoch.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count the users")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            number = get_user_model().objects.count()
            self.stdout.write(f"Users whose clients would start over: {number}. Nothing was changed.")
            return
        done, progress = 0, Progress(self.stderr)
        for number in start_new_epochs():
            done += number
            self.state_after_failure = f"Users with a new epoch so far: {done}. Run this again for all."
            progress.report(f"{done} users so far")
        self.stdout.write(self.style.SUCCESS(f"Users whose clients start over: {done}."))
