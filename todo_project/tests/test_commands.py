"""The base class of commands reports errors with an exit code and what was changed."""

import re
import sys

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError

import tests.support.notes  # noqa: F401  (a constraint of its model is used below)
from tests.support.run_app import MEMORY, run_program
from todo_project import __version__
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


@pytest.mark.own_servers
@pytest.mark.parametrize("arguments", [["--version"], ["version"]])
def test_manage_py_prints_the_projects_version_even_without_settings(arguments):
    ended = run_program([sys.executable, "manage.py", *arguments], SECRET_KEY=None)

    assert (ended.stdout, ended.stderr) == (f"{__version__}\n", "")


def test_a_command_prints_the_projects_version(capsys):
    with pytest.raises(SystemExit):
        Failing().run_from_argv(["manage.py", "failing", "--version"])

    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.own_servers
@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"]])
def test_the_overview_lists_the_projects_commands_first_with_their_purpose(arguments):
    ended = run_program([sys.executable, "manage.py", *arguments], DATABASE_URL=MEMORY)

    own, others = ended.stdout.split("Commands of Django and of other packages:")
    assert "\n  purge          Permanently delete data past its retention period\n" in own
    assert "startproject" in others
    lines = re.findall(r"^  (\w+) +(\S.*)$", own, re.MULTILINE)
    assert len(lines) > 10
    assert [name for name, purpose in lines if len(purpose) > 110] == []
