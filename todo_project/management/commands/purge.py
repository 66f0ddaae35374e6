import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from todo_project.operations.commands import InvalidArgument, OperatorCommand
from todo_project.operations.progress import Progress
from todo_project.operations.purging import policies

HELP = """\
Permanently delete data past its retention period. Run it once a day. It deletes in batches, each in a short
transaction, so it is safe to run while the API serves, to interrupt, and to run twice at the same time.

kinds:
"""


DELETED = "Everything listed above has been deleted; run this again for the rest."


def days(text: str) -> int:
    if not text.isdecimal() or int(text) > 36_500:
        raise ArgumentTypeError(f"{text!r} is not a number of days from 0 to 36500")
    return int(text)


def option_of(name: str) -> str:
    return f"--{name.removesuffix('s')}-days"


class Command(OperatorCommand):
    examples = """\
examples:
  manage.py purge --dry-run                          count what would be deleted
  manage.py purge                                    every night, from cron
  manage.py purge --trash-days 7 --only trash        the trash of more than a week ago
  manage.py purge --only tombstones --tombstone-days 180

A task purged from the trash leaves a tombstone, which tells syncing clients that it is gone. A client that
has not synced since before the oldest remaining tombstone gets 410 once and reads everything again.

exit codes: 0 success; 1 error; 2 invalid arguments; 130 interrupted. After 1 and 130 run it again for the
rest.
"""

    @property
    def help(self) -> str:  # type: ignore[override]
        return HELP + "".join(f"  {name:17} {policy.description}\n" for name, policy in policies.items())

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count what would be deleted")
        parser.add_argument(
            "--only", nargs="+", choices=policies, default=policies, metavar="KIND", help="only these kinds"
        )
        for name, policy in policies.items():
            minimum = f", minimum: {policy.minimum_days}" if policy.minimum_days else ""
            parser.add_argument(
                option_of(name),
                type=days,
                default=policy.days,
                metavar="N",
                dest=name,
                help=f"keep {name} for N days (default: {policy.days}{minimum})",
            )

    def handle(self, *args: Any, **options: Any) -> None:
        selected = {name: policy for name, policy in policies.items() if name in options["only"]}
        for name, policy in selected.items():
            if options[name] < policy.minimum_days:
                raise InvalidArgument(
                    f"{option_of(name)} must be at least {policy.minimum_days}: "
                    f"younger {name} are still in use."
                )
        started, now = time.monotonic(), timezone.now()
        for name, policy in selected.items():
            before = now - timedelta(days=options[name])
            if options["dry_run"]:
                self.stdout.write(f"{name}: {policy.older_than(before).count()} would be deleted")
            else:
                self.purge(name, policy.purge(before))
        suffix = " Nothing was changed." if options["dry_run"] else ""
        self.stdout.write(self.style.SUCCESS(f"Done in {time.monotonic() - started:.1f} s.{suffix}"))

    def purge(self, name: str, batches: Iterator[int]) -> None:
        deleted, progress = 0, Progress(self.stderr)
        try:
            for number in batches:
                deleted += number
                self.state_after_failure = DELETED
                progress.report(f"{name}: {deleted} so far")
        except BaseException:
            if deleted:
                self.stdout.write(f"{name}: {deleted} deleted")
            raise
        self.stdout.write(f"{name}: {deleted} deleted")
