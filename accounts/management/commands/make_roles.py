from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import CommandError
from django.db import transaction

from todo_project.admin.roles import ROLES
from todo_project.operations.commands import OperatorCommand


class Command(OperatorCommand):
    help = """\
Create the roles of staff: groups with the permissions that the apps grant in their roles.py. Run it after
each migrate. An existing role gets exactly these permissions again; its members keep it, and other groups
stay unchanged. It is safe to run it twice, even at the same time."""
    examples = """\
exit codes: 0 success; 1 an error, for example if the database is not migrated; 130 interrupted.
"""

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            for role in ROLES:
                group, created = Group.objects.get_or_create(name=role.name)
                group.permissions.set([self.permission(name) for name in role.permissions])
                if options["verbosity"]:
                    result = "created" if created else "reset"
                    self.stdout.write(f"{role.name}: {result}, {len(role.permissions)} permissions.")

    def permission(self, name: str) -> Permission:
        app, codename = name.split(".")
        try:
            return Permission.objects.get(content_type__app_label=app, codename=codename)
        except Permission.DoesNotExist as error:
            raise CommandError(
                f"The permission {name} does not exist yet. Run `manage.py migrate` first."
            ) from error
