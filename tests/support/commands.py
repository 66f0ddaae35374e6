"""Runs commands in this process and returns their output."""

from io import StringIO
from typing import Any

from django.core.management import call_command


def run(command: str, *arguments: Any) -> tuple[str, str]:
    """Its standard output and its standard error."""
    out, err = StringIO(), StringIO()
    call_command(command, *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def purge(*arguments: Any) -> list[str]:
    """The lines that `purge` writes to standard output."""
    output, _ = run("purge", *arguments)
    return output.splitlines()
