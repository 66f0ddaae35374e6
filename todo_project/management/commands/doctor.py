"""Checks a deployment and says what to do about each finding."""

import json
import logging
import os
import sys
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.core.validators import validate_email
from django.utils.module_loading import import_string

from todo_project.operations.commands import OperatorCommand
from todo_project.operations.doctor import surroundings
from todo_project.operations.doctor.databases import Databases
from todo_project.operations.doctor.findings import Check, Finding, findings_of

PROBLEMS, ONLY_WARNINGS, INTERRUPTED = 1, 3, 130  # 2 is argparse's, for wrong arguments

HELP = """\
Check a deployment, and say what to do about each finding.

Run it where the application runs, with the application's environment: before the first deployment, after a
change of the environment, and when something is odd. It asks the databases (both URLs), the cache, the mail
server and the outside issuers, and changes nothing in any of them; a key that it puts into the cache is
removed again. Each check stands alone and takes 15 seconds at most, so it also tells what it can while the
database is down. It prints no password, no key and no URL that holds one.
"""

EXAMPLES = """\
exit codes:
  0    no problem; there may be warnings, unless --strict is given
  1    at least one problem, or a setting that stops every start (then one line names it)
  2    wrong arguments
  3    warnings but no problem, with --strict
  130  interrupted

examples:
  python manage.py doctor
  python manage.py doctor --strict --json > doctor.json
  python manage.py doctor --send-test-mail you@example.com
"""


def address(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError as error:
        raise ArgumentTypeError("this is not an email address") from error
    return text


class Command(OperatorCommand):
    help = HELP
    examples = EXAMPLES
    requires_system_checks = []  # They are one of the checks, and must not end the others.

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--strict", action="store_true", help="let warnings, too, end it with a failure")
        parser.add_argument("--json", action="store_true", help="write one JSON object, for scripts")
        parser.add_argument(
            "--send-test-mail",
            metavar="ADDRESS",
            type=address,
            help="also send a mail to this address",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # What is worth saying is among the findings; logs go to the same output and would spoil it.
        logging.disable(logging.CRITICAL)
        try:
            counts = self.examine(test_address=options["send_test_mail"], for_scripts=options["json"])
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # Whoever reads has read enough, as `head` does; Python would complain once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(PROBLEMS)
        finally:
            logging.disable(logging.NOTSET)
        if counts["problem"]:
            sys.exit(PROBLEMS)
        if counts["warning"] and options["strict"]:
            sys.exit(ONLY_WARNINGS)

    def examine(self, *, test_address: str | None, for_scripts: bool) -> Mapping[str, int]:
        found = []
        for name, check in checks(test_address=test_address):
            for finding in findings_of(check):
                found.append((name, finding))
                if not for_scripts:
                    self.tell(name, finding)
        counted = Counter(finding.level for _, finding in found)
        counts = {level: counted[level] for level in ("ok", "warning", "problem")}
        if for_scripts:
            self.stdout.write(as_json(found, counts))
        else:
            self.stdout.write("\n" + ", ".join(f"{level}: {number}" for level, number in counts.items()))
        return counts

    def tell(self, name: str, finding: Finding) -> None:
        colour = {"ok": self.style.SUCCESS, "warning": self.style.WARNING, "problem": self.style.ERROR}
        self.stdout.write(f"{colour[finding.level](f'{finding.level:8}')} {name}: {finding.found}")
        if finding.advice:
            self.stdout.write(f"{'':8} {finding.advice}")
        self.stdout.flush()


def checks(*, test_address: str | None) -> Iterator[tuple[str, Check]]:
    yield from Databases().checks()
    yield "mode", surroundings.mode
    yield "secrets", surroundings.keys
    yield "hosts", surroundings.hosts
    yield "HTTPS", surroundings.https
    yield "CORS", surroundings.cors
    yield "cache", surroundings.cache
    yield "mail", partial(surroundings.email, test_address)
    yield "static files", surroundings.static_files
    for name, path in settings.DIAGNOSED.items():
        yield name, import_string(path)
    yield "Django", surroundings.djangos


def as_json(found: list[tuple[str, Finding]], counts: Mapping[str, int]) -> str:
    findings = [
        {"check": name, "level": each.level, "found": each.found, "advice": each.advice}
        for name, each in found
    ]
    return json.dumps({"counts": counts, "findings": findings}, indent=2, ensure_ascii=False)
