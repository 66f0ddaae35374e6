from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection, transaction

from todo_project.db.distribution import is_distributed
from todo_project.operations import distribution
from todo_project.operations.commands import OperatorCommand


class Command(OperatorCommand):
    help = """\
Distribute the tables over the nodes of a Citus cluster by owner. DATABASE_URL leads to the coordinator, which
knows the other nodes. Stop the server first: it locks the tables until their rows are copied. It does
nothing for tables that are distributed already, so run it after each migrate.
"""
    examples = """\
examples:
  manage.py distribute --dry-run    print the SQL
  manage.py distribute

exit codes: 0 success; 1 error; 130 interrupted. Either all tables are distributed or none.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only print the SQL")

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_distributed():
            raise CommandError(
                "The database has no extension citus. Install Citus on all nodes and add them to the "
                f"coordinator, or do without distribution. {self.state_after_failure}"
            )
        with transaction.atomic():
            statements = list(distribution.statements())
            for sql in statements:
                self.stdout.write(f"{sql};")
                if not options["dry_run"]:
                    with connection.cursor() as cursor:
                        cursor.execute(sql)
        if not statements:
            self.stdout.write("All tables are distributed already.")
