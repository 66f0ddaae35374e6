"""The doctor's check of the ledger."""

import time
from collections.abc import Iterator

from django.core import checks
from django.core.checks import CheckMessage

from todo_project.operations.doctor.runner import app_database_checks

from .counts import recount

SECONDS = 5


@app_database_checks.register("counts")
def counts() -> Iterator[CheckMessage]:
    """Compares users' counts with the rows, for a few seconds."""
    compared = different = 0
    deadline = time.monotonic() + SECONDS
    for owner in recount(repair=False):
        compared += 1
        different += owner is not None
        if time.monotonic() > deadline:
            break
    if different:
        yield checks.Error(
            f"Users whose counts were compared with the rows: {compared}; different: {different}.",
            hint="Run `manage.py recount`, and report a bug unless rows were changed with SQL.",
        )
    else:
        yield checks.Info(f"Users whose counts were compared with the rows: {compared}; all are correct.")
