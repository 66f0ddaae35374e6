"""A second factor for one of the staff."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.models import User

RECOVERY_CODES = 10
DEVICES = [("otp_totp", "totpdevice"), ("otp_static", "staticdevice")]


class Command(BaseCommand):
    help = (
        "Give one of the staff a second factor: prints, this once, a URL for an authenticator app and ten "
        "recovery codes, each good for one sign-in. What they had before no longer works, so this is also "
        "what to do about a lost phone. Needs STAFF_SECOND_FACTOR=true."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="Whose.")
        parser.add_argument("--remove", action="store_true", help="Only take away what they have.")

    def handle(self, *args: Any, email: str, remove: bool, **options: Any) -> None:
        if not settings.STAFF_SECOND_FACTOR:
            raise CommandError("Set STAFF_SECOND_FACTOR=true, and run `manage.py migrate`, before this.")
        user = User.objects.filter(email=User.objects.normalize_email(email), is_staff=True).first()
        if user is None:
            raise CommandError("None of the staff has this email.")
        # Importing them would fail where they are not installed.
        models: list[Any] = [apps.all_models[app][model] for app, model in DEVICES]
        totp, static = models
        with transaction.atomic():
            for model in (totp, static):
                model.objects.filter(user=user).delete()
            if remove:
                self.stdout.write(f"{user} has no second factor any more, and cannot sign in without one.")
                return
            device = totp.objects.create(user=user, name="app")
            recovery = static.objects.create(user=user, name="recovery codes")
            codes = [recovery.token_set.model.random_token() for _ in range(RECOVERY_CODES)]
            recovery.token_set.bulk_create(
                recovery.token_set.model(device=recovery, token=code) for code in codes
            )
        self.stdout.write(f"For the authenticator app:\n\n    {device.config_url}\n\nRecovery codes:\n")
        for code in codes:
            self.stdout.write(f"    {code}")
        self.stdout.write("\nThis is shown once. Give it to nobody but its owner.")
