#!/usr/bin/env python
"""The operators' entry: migrations and every other command, on the direct database endpoint."""

import os
import signal
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings")
    if sys.stdout is None:  # Closed, as by `>&-`.
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    # Commands migrate, copy and run long; Neon's pooled endpoint is made for short requests.
    os.environ.setdefault("DATABASE_ENDPOINT", "direct")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
        from django.db import DatabaseError
    except ImportError:
        sys.exit("Django is not installed for this Python. Run `make run` once, then use .venv/bin/python.")
    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()  # Here, where a reader who has gone is noticed.
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output has gone, as `| head` does; Python would fail once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if "--traceback" in sys.argv:
            raise
        # Most often a full disk below the output, which Python would try once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(f"manage.py: {error}")
    except DatabaseError as error:
        if "--traceback" in sys.argv:
            raise
        told = str(error).strip().partition("\n")[0]
        sys.exit(f"manage.py: The database said: {told}. Is it migrated? `manage.py doctor` looks closer.")


if __name__ == "__main__":
    main()
