#!/usr/bin/env python
"""The operators' entry: migrations and every other command, on the direct database endpoint."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings")
    # Commands migrate, copy and run long; Neon's pooled endpoint is made for short requests.
    os.environ.setdefault("DATABASE_ENDPOINT", "direct")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed for this Python. Run `make run` once, then use .venv/bin/python.")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
