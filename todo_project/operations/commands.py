"""The base class of this project's management commands."""

import signal
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import DatabaseError

from todo_project.api.errors import ApiError
from todo_project.db.errors import Rejected, diagnose, hint_for


class HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Lists a command's own options before Django's, and keeps line breaks."""


class InvalidArgument(CommandError):
    """Ends as argparse does, for arguments that only handle() can check."""

    def __init__(self, message: str) -> None:
        super().__init__(message, returncode=2)


class OperatorCommand(BaseCommand):
    """Turns interruption, API errors and database errors into a CommandError that says what was changed."""

    examples: str
    """Shown after the options: examples and exit codes."""

    state_after_failure = "Nothing was changed."
    """A command that commits before it ends updates this as it goes."""

    def get_version(self) -> str:
        return settings.VERSION

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, epilog=self.examples, formatter_class=HelpFormatter, **kwargs
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except KeyboardInterrupt:
            code = 128 + signal.SIGINT
            raise CommandError(f"Interrupted. {self.state_after_failure}", returncode=code) from None
        except ApiError as error:
            raise CommandError(f"{error.message} {self.state_after_failure}") from error
        except DatabaseError as error:
            raise CommandError(f"{explain(error)} {self.state_after_failure}") from error


def explain(error: DatabaseError) -> str:
    meaning = diagnose(error)
    if isinstance(meaning, Rejected):
        return meaning.message
    first_line = str(error).strip().partition("\n")[0]
    return f"Database error: {first_line}. {hint_for(error)}"
