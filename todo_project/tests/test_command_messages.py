"""What commands say about mistakes, and their exit codes."""

import sys

import pytest
from django.core.management import CommandError

from tests.support.commands import run
from tests.support.run_app import run_program


@pytest.mark.parametrize(
    "arguments",
    [
        ["seed", "--users=-1"],
        ["seed", "--users=1000001"],
        ["seed", "--tasks=5", "--users=0"],
        ["seed", "--users=0", "--tasks=0", "--no-staff"],
        ["seed", "--now=yesterday"],
        ["seed", "--now=0001-01-01"],
        ["seed", "--staff-email=x"],
        ["purge", "--key-days=0"],
    ],
)
def test_an_invalid_argument_is_exit_code_2(db, arguments):
    with pytest.raises(CommandError) as failure:
        run(*arguments)

    assert failure.value.returncode == 2


@pytest.mark.parametrize("content", ["[1]", "", "hello", '{"a": 1}', '{"profile": 1}', '{"tasks": []}'])
def test_another_file_is_no_export(db, tmp_path, content):
    file = tmp_path / "file.json"
    file.write_text(content)

    with pytest.raises(CommandError) as failure:
        run("import_user", file)

    assert str(failure.value).startswith("This is not a file that export_user wrote: ")
    assert str(failure.value).endswith(" Nothing was changed.")


def test_a_file_that_does_not_exist_is_named_without_the_systems_number(db, tmp_path):
    file = tmp_path / "nothing.json"

    with pytest.raises(CommandError) as failure:
        run("import_user", file)

    assert str(failure.value) == f"The file {file} cannot be read: No such file or directory."


def test_a_folder_that_does_not_exist_is_named(alice, tmp_path):
    with pytest.raises(CommandError) as failure:
        run("export_user", alice.email, "--output", tmp_path / "nothing" / "alice.json")

    assert str(failure.value) == f"The folder {tmp_path / 'nothing'} does not exist."


def test_an_import_into_the_wrong_account_names_both(alice, bob, tmp_path):
    file = tmp_path / "alice.json"
    run("export_user", alice.email, "--output", file)

    with pytest.raises(CommandError) as failure:
        run("import_user", file, "--into", bob.email)

    assert str(failure.value) == (
        "profile: the file belongs to alice@example.com, not to bob@example.com. To import into that "
        "account, use --into alice@example.com. Nothing was changed."
    )


def test_an_erasure_lists_no_bookkeeping(as_alice, alice):
    as_alice("post", "/tasks", {"title": "Buy milk"}, **{"Idempotency-Key": "k"})

    listed = run("erase_user", alice.email, "--dry-run")[0]

    assert "  tasks: 1\n" in listed
    assert "clock" not in listed
    assert "usage" not in listed


@pytest.mark.own_servers
@pytest.mark.parametrize(
    ("command", "state"),
    [
        ("migrate", "Nothing was changed."),
        ("purge", "Nothing was changed."),
        ("recount", "Nothing was changed."),
        ("new_epoch", "Nothing was changed."),
        ("make_roles", "Nothing was changed."),
        ("export_user a@example.com", "Nothing was changed."),
    ],
)
def test_without_a_database_a_command_says_so_in_one_line(command, state):
    ended = run_program(
        [sys.executable, "manage.py", *command.split()], DATABASE_URL="postgres://app@127.0.0.1:1/app"
    )

    assert ended.returncode == 1
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert line == (
        "CommandError: Database error: connection failed: "
        'connection to server at "127.0.0.1", port 1 failed: Connection refused. '
        f"Run `manage.py doctor` to find the cause. {state}"
    )
