"""The base class of commands reports errors with an exit code and what was changed."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError

from todo_project.api.errors import Conflict
from todo_project.operations.commands import OperatorCommand


class Failing(OperatorCommand):
    examples = ""
    stealth_options = ("error", "state")

    def handle(self, *args, error, state, **options):
        self.state_after_failure = state
        raise error


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (Conflict("The account cannot be erased."), 1, "The account cannot be erased."),
        (IntegrityError("CHECK constraint failed: note_rank_not_negative"), 1, "Rank may not be negative."),
        (
            OperationalError("no such table: tasks_task"),
            1,
            "Database error: no such table: tasks_task. Run `manage.py doctor` to find the cause.",
        ),
    ],
)
@pytest.mark.parametrize("state", ["Nothing was changed.", "The first batch was deleted."])
def test_an_error_is_reported_with_what_was_changed(error, code, message, state):
    with pytest.raises(CommandError) as failure:
        call_command(Failing(), error=error, state=state)

    assert str(failure.value) == f"{message} {state}"
    assert failure.value.returncode == code


def test_an_error_that_is_a_bug_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        call_command(Failing(), error=ZeroDivisionError(), state="")
