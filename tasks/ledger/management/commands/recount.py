import sys
from typing import Any

from django.core.management.base import CommandParser

from tasks.ledger.counts import recount
from todo_project.operations.commands import OperatorCommand
from todo_project.operations.progress import Progress

DIFFERENT = 3
MAX_LISTED = 10


class Command(OperatorCommand):
    help = """\
Compare the counts that are kept for each user with the rows, and repair them. They can differ only if rows
were changed with SQL, or by a bug. It locks only users whose counts differ, one at a time, so it is safe to
run while the API serves.
"""
    examples = f"""\
examples:
  manage.py recount --dry-run    compare, and exit with {DIFFERENT} if counts differ
  manage.py recount

exit codes: 0 all counts are correct, or have been repaired; 1 error; {DIFFERENT} counts differ, with
--dry-run; 130 interrupted. After 1 and 130 run it again for the rest.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only compare")

    def handle(self, *args: Any, **options: Any) -> None:
        repair, progress = not options["dry_run"], Progress(self.stderr)
        compared = different = 0
        for owner in recount(repair=repair):
            compared += 1
            if repair:
                self.state_after_failure = "Counts may have been repaired; run this again for the rest."
            if owner is not None:
                different += 1
                if different <= MAX_LISTED:
                    self.stdout.write(f"The counts of user {owner} differ from the rows.")
            progress.report(f"{compared} users so far")
        verb = "differed and were repaired" if repair else "differ"
        result = f"Users whose counts {verb}: {different}." if different else "All counts are correct."
        self.stdout.write(f"Users compared: {compared}. {result}")
        if different and not repair:
            sys.exit(DIFFERENT)
