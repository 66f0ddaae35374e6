"""What holds for every command, Django's own included: how settings errors and lost output are reported."""

import os
import signal
import sys

from django.core import management
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from todo_project.db.errors import hint_for


class ManagementUtility(management.ManagementUtility):
    def autocomplete(self) -> None:
        """execute() calls this right after it loads the settings.

        Django stores a settings error and goes on: `shell` and `help` run without settings, and other
        commands fail later, in another place.
        """
        if isinstance(self.settings_exception, ImproperlyConfigured):
            raise self.settings_exception
        super().autocomplete()


def execute_from_command_line(argv: list[str]) -> None:
    if sys.stdout is None:  # Closed, as by `>&-`.
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    try:
        ManagementUtility(argv).execute()
        sys.stdout.flush()  # Raises here if the reader is gone or the disk is full.
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:  # The reader is gone, as with `| head`.
        discard_output()
        sys.exit(128 + signal.SIGPIPE)
    except (ImproperlyConfigured, DatabaseError, OSError) as error:
        if "--traceback" in argv:
            raise
        discard_output()
        message = str(error).strip().partition("\n")[0]
        hint = f". {hint_for(error)}" if isinstance(error, DatabaseError) else ""
        sys.exit(f"manage.py: {message}{hint}")


def discard_output() -> None:
    """Python flushes standard output once more at exit and would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
