"""The roles of staff, as settings.ROLES tells them."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.management.base import CommandError
from django.db import transaction

from todo_project.operations.commands import OperatorCommand


class Command(OperatorCommand):
    help = """\
Make the roles of staff: groups with the permissions that settings.ROLES names. Run it after each migrate. A
role that is there is set right again, whatever was changed in it; who has it keeps it, and groups of other
names are left alone. It may run twice, and twice at once."""
    examples = """\
exit codes: 0 done; 1 an error, such as that the database is not migrated.
"""

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            for role, names in settings.ROLES.items():
                group, made = Group.objects.get_or_create(name=role)
                group.permissions.set([self.permission(name) for name in names])
                if options["verbosity"]:
                    said = "made" if made else "set right"
                    self.stdout.write(f"{role}: {said}, {len(names)} permissions.")

    def permission(self, name: str) -> Permission:
        app, codename = name.split(".")
        try:
            return Permission.objects.get(content_type__app_label=app, codename=codename)
        except Permission.DoesNotExist as error:
            raise CommandError(
                f"There is no permission {name} yet. Run `manage.py migrate` first."
            ) from error
