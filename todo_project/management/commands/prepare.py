from contextlib import suppress
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError

from todo_project.operations.commands import OperatorCommand


class Command(OperatorCommand):
    help = """\
Prepare the database for `make run`: apply migrations and create the roles. At the first start also create
demo data, if the database is SQLite, and the staff login of .env."""
    examples = """\
exit codes: 0 success; 1 error; 130 interrupted
"""
    state_after_failure = "Run it again to complete it."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        call_command("make_roles", verbosity=0)
        # Before createsuperuser, because seed adds no users to existing ones.
        call_command("seed", first_start=True, no_staff=True)
        if not get_user_model().objects.exists():
            self.stdout.write("No users yet. To add demo data: .venv/bin/python manage.py seed")
        with suppress(CommandError):  # From the second start on, the staff user exists.
            call_command("createsuperuser", interactive=False, verbosity=0)
