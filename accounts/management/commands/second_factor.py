from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django_otp.plugins.otp_totp.models import default_key

from accounts import otp_devices
from accounts.models import User
from todo_project.operations.commands import OperatorCommand


class Command(OperatorCommand):
    help = """\
Set up two-factor authentication for a staff member. Prints, once only, a URL for an authenticator app and
ten recovery codes, each valid for one sign-in. Earlier devices and codes stop working, so this also
replaces a lost phone. The admin asks for a code while STAFF_SECOND_FACTOR is true."""
    examples = """\
examples:
  manage.py second_factor carol@example.com
  manage.py second_factor 0b8f3c1d-e5a9-4f0c-8a54-e9e1f2f7d9aa --remove

If the output cannot be written, nothing is changed and the earlier device still works.

exit codes: 0 success; 1 error, for example no such staff account; 130 interrupted.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="EMAIL_OR_ID")
        parser.add_argument("--remove", action="store_true", help="only remove the second factor")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.find(options["user"])
        if user is None or not user.is_staff:
            raise CommandError("No staff account has this email or id.")
        try:
            with transaction.atomic():
                self.replace(user, remove=options["remove"])
                # Before the commit: a secret that was not printed must not replace one that works.
                self.stdout.flush()
        except OSError as error:
            raise CommandError(
                f"The output could not be written: {error.strerror or error}. {self.state_after_failure}"
            ) from error

    def replace(self, user: User, *, remove: bool) -> None:
        if remove:
            otp_devices.remove(user)
            self.stdout.write(
                f"{user} has no second factor and cannot sign in to the admin while one is required."
            )
            return
        app = otp_devices.new_app(user, default_key())
        codes = otp_devices.replace(user, app)
        self.stdout.write(f"For the authenticator app:\n\n    {app.config_url}\n\nRecovery codes:\n")
        for code in codes:
            self.stdout.write(f"    {code}")
        self.stdout.write("\nThis is shown only once. Share it only with the account's owner.")
