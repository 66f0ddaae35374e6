"""A second factor for one of the staff."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.management.people import all_or_nothing
from accounts.models import User
from todo_project.operations.commands import OperatorCommand

RECOVERY_CODES = 10


class Command(OperatorCommand):
    help = """\
Give one of the staff a second factor: prints, this once, a URL for an authenticator app and ten recovery
codes, each good for one sign-in. What they had before no longer works, so this is also what to do about a
lost phone. They are asked for a code while STAFF_SECOND_FACTOR is true."""
    examples = """\
examples:
  manage.py second_factor carol@example.com
  manage.py second_factor 0b8f3c1d-e5a9-4f0c-8a54-e9e1f2f7d9aa --remove

All or nothing is done: what could not be printed is not kept, and what they had before still works.

exit codes: 0 done; 1 an error, such as that they are not staff; 130 interrupted.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", metavar="EMAIL_OR_ID")
        parser.add_argument("--remove", action="store_true", help="only take away what they have")

    def handle(self, *args: Any, person: str, remove: bool, **options: Any) -> None:
        user = User.objects.find(person)
        if user is None or not user.is_staff:
            raise CommandError("None of the staff has this email or id.")
        try:
            with all_or_nothing(), transaction.atomic():
                self.replace(user, remove=remove)
                # Still inside: a secret that nobody has seen must not take the place of one that works.
                self.stdout.flush()
        except OSError as error:
            raise CommandError(f"This could not be written, and nothing was changed: {error}") from error

    def replace(self, user: User, *, remove: bool) -> None:
        User.objects.select_for_update().get(pk=user.pk)  # Two at once would leave two.
        for model in (TOTPDevice, StaticDevice):
            model.objects.filter(user=user).delete()
        if remove:
            self.stdout.write(f"{user} has no second factor, and cannot sign in where one is asked for.")
            return
        device = TOTPDevice.objects.create(user=user, name="app")
        recovery = StaticDevice.objects.create(user=user, name="recovery codes")
        codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
        StaticToken.objects.bulk_create(StaticToken(device=recovery, token=code) for code in codes)
        self.stdout.write(f"For the authenticator app:\n\n    {device.config_url}\n\nRecovery codes:\n")
        for code in codes:
            self.stdout.write(f"    {code}")
        self.stdout.write("\nThis is shown once. Give it to nobody but its owner.")
