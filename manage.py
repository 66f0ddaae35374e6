#!/usr/bin/env python
"""Runs migrations and every other command, on the direct database endpoint."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings")
    # Commands hold long sessions; Neon's pooled endpoint is for short requests.
    os.environ.setdefault("DATABASE_ENDPOINT", "direct")
    try:
        import django  # noqa: F401
    except ImportError:
        sys.exit("Django is not installed for this Python. Run `make run` once, then use .venv/bin/python.")
    from todo_project.management.utility import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
