"""Deletes for good what nobody needs any more; meant to run every night."""

import time
from argparse import ArgumentTypeError
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError
from django.utils import timezone
from django.utils.module_loading import import_string

from todo_project.operations.commands import OperatorCommand
from todo_project.operations.progress import Progress
from todo_project.operations.purging import Kind

HELP = """\
Delete for good what is older than it need be. Safe to run at any time, beside the API, twice, or twice at
once: it works in batches, each a short transaction, and what is done stands whatever happens next.

kinds:
"""
EXAMPLES = """\
examples:
  manage.py purge --dry-run                          what would go
  manage.py purge                                    every night, from cron
  manage.py purge --trash-days 7 --only trash        the trash of more than a week ago
  manage.py purge --only tombstones --tombstone-days 180

A task that is purged from the trash leaves a tombstone, by which clients that keep a copy hear of it. Who has
not asked for changes since before the tombstones that are forgotten has to read everything again (410).

exit codes: 0 done; 1 an error; 130 interrupted. After 1 and 130 run it again for the rest.
"""


def days(text: str) -> int:
    if not text.isdecimal() or int(text) > 36_500:
        raise ArgumentTypeError(f"{text!r} is not a number of days from 0 to 36500")
    return int(text)


class Command(OperatorCommand):
    examples = EXAMPLES

    @property
    def help(self) -> str:  # type: ignore[override]
        return HELP + "".join(f"  {kind.name:17} {kind.what}\n" for kind in all_policies())

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="tell what would go, and change nothing")
        names = [kind.name for kind in all_policies()]
        parser.add_argument(
            "--only", nargs="+", choices=names, default=names, metavar="KIND", help="these kinds alone"
        )
        for kind in all_policies():
            at_least = f"; at least {kind.fewest}" if kind.fewest else ""
            parser.add_argument(
                kind.option,
                type=days,
                default=kind.days,
                metavar="N",
                dest=kind.name,
                help=f"keep {kind.name} for N days (default: {kind.days}{at_least})",
            )

    def handle(self, *args: Any, **options: Any) -> None:
        kinds = [kind for kind in all_policies() if kind.name in options["only"]]
        for kind in kinds:
            if options[kind.name] < kind.fewest:
                raise CommandError(
                    f"{kind.option} must be at least {kind.fewest}: younger {kind.name} are in use."
                )
        started, now = time.monotonic(), timezone.now()
        try:
            for kind in kinds:
                before = now - timedelta(days=options[kind.name])
                if options["dry_run"]:
                    self.stdout.write(f"{kind.name}: {kind.count(before)} would go")
                else:
                    self.purge(kind, before)
        except KeyboardInterrupt:
            told = "Nothing was changed." if options["dry_run"] else "What is told above is done."
            raise CommandError(f"Interrupted. {told}", returncode=130) from None
        except OperationalError as error:
            told = "What is told above is done; run it again for the rest"
            if options["dry_run"]:
                told = "Nothing was changed"
            raise CommandError(f"The database stopped this. {told}: {error}") from error
        nothing = " Nothing was changed." if options["dry_run"] else ""
        self.stdout.write(self.style.SUCCESS(f"Done in {time.monotonic() - started:.1f} s.{nothing}"))

    def purge(self, kind: Kind, before: datetime) -> None:
        gone, progress = 0, Progress(self.stderr)
        try:
            for number in kind.purge(before):
                gone += number
                progress.tell(f"{kind.name}: {gone} so far")
        finally:
            self.stdout.write(f"{kind.name}: {gone} deleted")


def all_policies() -> list[Kind]:
    return [import_string(path) for path in settings.PURGED]
