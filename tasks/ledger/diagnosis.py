"""The doctor's checks of the ledger."""

import time
from collections.abc import Iterator

from django.contrib.auth import get_user_model
from django.core import checks
from django.core.checks import CheckMessage

from todo_project.operations.doctor.runner import app_database_checks

from .counts import recount
from .kinds import kinds
from .models import Clock
from .problems import find_problems

SECONDS = 5
MAX_PROBLEMS = 5


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


@app_database_checks.register("references")
def references() -> Iterator[CheckMessage]:
    """Looks for objects that cannot be where they are, owner by owner, for a few seconds."""
    examined, found = 0, []
    deadline = time.monotonic() + SECONDS
    for owner_id in Clock.objects.values_list("pk", flat=True).iterator():
        owner = get_user_model()(pk=owner_id)
        found += [problem for kind in kinds.values() for problem in find_problems(kind, owner)]
        examined += 1
        if len(found) >= MAX_PROBLEMS or time.monotonic() > deadline:
            break
    for problem in found[:MAX_PROBLEMS]:
        yield checks.Error(problem, hint="Report a bug unless rows were changed with SQL.")
    if not found:
        yield checks.Info(f"Users whose references were examined: {examined}; all are correct.")
