"""What holds for every command, Django's own included: how settings errors and lost output are reported."""

import os
import signal
import sys
import textwrap
from collections.abc import Iterator

from django.conf import settings
from django.core import management
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

import todo_project
from todo_project.db.errors import hint_for


class ManagementUtility(management.ManagementUtility):
    def execute(self) -> None:
        """The version is the project's, and does not need valid settings."""
        if self.argv[1:] in (["version"], ["--version"]):
            sys.stdout.write(f"{todo_project.__version__}\n")
        else:
            super().execute()

    def autocomplete(self) -> None:
        """execute() calls this right after it loads the settings.

        Django stores a settings error and goes on: `shell` and `help` run without settings, and other
        commands fail later, in another place.
        """
        if isinstance(self.settings_exception, ImproperlyConfigured):
            raise self.settings_exception
        super().autocomplete()

    def main_help_text(self, commands_only: bool = False) -> str:
        return super().main_help_text(commands_only=True) if commands_only else "\n".join(self.overview())

    def overview(self) -> Iterator[str]:
        """The project's commands with their purpose, then the names of all others."""
        apps = management.get_commands()
        own = {name for name, app in apps.items() if (settings.BASE_DIR / app.partition(".")[0]).is_dir()}
        yield f"Usage: {self.prog_name} COMMAND [options]\n\nCommands of this project:\n"
        for name in sorted(own):
            text = " ".join(management.load_command_class(apps[name], name).help.split())
            yield f"  {name:15}{text.partition('. ')[0].rstrip('.')}"
        others = textwrap.fill(", ".join(sorted(apps.keys() - own)), 100, break_on_hyphens=False)
        yield f"\nCommands of Django and of other packages:\n\n{textwrap.indent(others, '  ')}"
        yield f"\n`{self.prog_name} help COMMAND` describes a command."


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
