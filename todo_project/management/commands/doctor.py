import json
import logging
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator, Mapping
from typing import Any

from django.core import checks
from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.core.validators import validate_email

from todo_project.operations.commands import OperatorCommand
from todo_project.operations.doctor import environment
from todo_project.operations.doctor.databases import Databases
from todo_project.operations.doctor.runner import TIMEOUT, Check, app_checks, run_check

ERRORS, ONLY_WARNINGS = 1, 3  # argparse uses 2 for invalid arguments.
LEVELS = {checks.INFO: "ok", checks.WARNING: "warning", checks.ERROR: "error"}


def address(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError as error:
        raise ArgumentTypeError("this is not an email address") from error
    return text


def positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


class Command(OperatorCommand):
    help = """\
Check a deployment, and say what to do about each finding.

Run it where the application runs, with the same environment: before the first deployment, after a change of
the environment, and when something looks wrong. It connects to the databases (both URLs), the cache, the
mail server and the identity providers. It changes nothing in them; it removes the one key that it writes to
the cache. Each check runs on its own and gives up after 15 seconds (Django's own checks, which only look at
this machine, do not), so the rest is checked even while the database is down. The output contains no
password, no key and no URL that contains one.
"""
    examples = """\
exit codes:
  0    no errors; there may be warnings, unless --strict is given
  1    at least one error, or a setting that prevents every start (one line names it)
  2    invalid arguments
  3    warnings but no errors, with --strict
  130  interrupted

examples:
  manage.py doctor
  manage.py doctor --strict --json > doctor.json
  manage.py doctor --send-test-mail you@example.com
"""
    requires_system_checks = []  # They run as one of the checks, so that they do not prevent the others.

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--strict", action="store_true", help="fail on warnings, too")
        parser.add_argument("--json", action="store_true", help="write one JSON object, for scripts")
        parser.add_argument(
            "--hosts", metavar="N", type=positive, default=1, help="machines that serve requests (default: 1)"
        )
        parser.add_argument(
            "--send-test-mail", metavar="ADDRESS", type=address, help="also send a mail to this address"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Log lines go to the same output and would break the JSON.
        logging.disable(logging.CRITICAL)
        try:
            counts = self.run_checks(
                all_checks(hosts=options["hosts"], test_address=options["send_test_mail"]),
                as_json=options["json"],
            )
        finally:
            logging.disable(logging.NOTSET)
        if counts["error"]:
            sys.exit(ERRORS)
        if counts["warning"] and options["strict"]:
            sys.exit(ONLY_WARNINGS)

    def run_checks(self, all_checks: Iterator[tuple[str, Check]], *, as_json: bool) -> Mapping[str, int]:
        counts, findings = dict.fromkeys(LEVELS.values(), 0), []
        for name, check in all_checks:
            timeout = None if check is environment.django else TIMEOUT
            for message in run_check(check, timeout=timeout):
                finding = {
                    "check": name,
                    "level": LEVELS[min(message.level, checks.ERROR)],
                    "message": f"{message.msg} ({message.id})" if message.id else str(message.msg),
                    "hint": str(message.hint or ""),
                }
                counts[finding["level"]] += 1
                findings.append(finding)
                if not as_json:
                    self.write_finding(**finding)
        if as_json:
            report = {"counts": counts, "findings": findings}
            self.stdout.write(json.dumps(report, indent=2, ensure_ascii=False))
        else:
            self.stdout.write("\n" + ", ".join(f"{level}: {number}" for level, number in counts.items()))
        return counts

    def write_finding(self, *, check: str, level: str, message: str, hint: str) -> None:
        styles = {"ok": self.style.SUCCESS, "warning": self.style.WARNING, "error": self.style.ERROR}
        self.stdout.write(f"{styles[level](f'{level:8}')} {check}: {message}")
        if hint:
            self.stdout.write(f"{'':8} {hint}")
        self.stdout.flush()


def all_checks(*, hosts: int, test_address: str | None) -> Iterator[tuple[str, Check]]:
    yield from Databases(hosts=hosts).checks()
    yield from environment.environment_checks(test_address=test_address).items()
    yield from app_checks.items()
    yield "Django", environment.django
