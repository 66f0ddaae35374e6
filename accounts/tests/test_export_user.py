"""manage.py export_user."""

import json
import os
import signal

import pytest
from django.core.management import CommandError

from tests.support.caller import download_export
from tests.support.commands import run
from tests.support.registries import use_entries
from todo_project.operations import exporting, progress


@pytest.fixture(params=["email", "EMAIL", "id"])
def name(request, alice):
    return {"email": alice.email, "EMAIL": alice.email.upper(), "id": str(alice.pk)}[request.param]


def test_it_writes_the_same_as_the_api(as_alice, name):
    exported, report = run("export_user", name)

    assert json.loads(exported) == json.loads(download_export(as_alice)[1])
    assert report.endswith(f"Wrote {len(exported)} bytes.\n")


def test_a_file_is_complete_and_readable_only_by_its_owner(as_alice, alice, tmp_path):
    file = tmp_path / "alice.json"
    out, report = run("export_user", alice.email, "--output", file)

    assert json.loads(file.read_bytes()) == json.loads(download_export(as_alice)[1])
    assert file.stat().st_mode & 0o777 == 0o600
    assert out == ""
    assert report.endswith(f"Wrote {file.stat().st_size} bytes to {file}.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["alice.json"]


def test_a_file_is_replaced_only_by_force(alice, tmp_path):
    file = tmp_path / "alice.json"
    file.write_text("other")
    with pytest.raises(CommandError, match="already exists"):
        run("export_user", alice.email, "--output", file)
    assert file.read_text() == "other"

    run("export_user", alice.email, "--output", file, "--force")
    assert json.loads(file.read_text())["profile"]["email"] == "alice@example.com"


def test_an_interrupted_export_leaves_no_file(alice, tmp_path, monkeypatch):
    use_entries(monkeypatch, exporting.exporters, {**dict(exporting.exporters), "interrupted": interrupted})
    with pytest.raises(CommandError) as ended:
        run("export_user", alice.email, "--output", tmp_path / "alice.json")

    assert ended.value.returncode == 130
    assert list(tmp_path.iterdir()) == []


def interrupted(user):
    yield "first", {}
    raise KeyboardInterrupt


def test_a_sigterm_leaves_no_file(alice, tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    use_entries(monkeypatch, exporting.exporters, {**dict(exporting.exporters), "terminated": terminated})
    # A command that does not handle the signal must not end the test run.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit) as ended:
            run("export_user", alice.email, "--output", tmp_path / "alice.json")
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)

    assert ended.value.code == 143
    assert list(tmp_path.iterdir()) == []


def terminated(user):
    yield "first", {}
    os.kill(os.getpid(), signal.SIGTERM)
    yield "second", {}


def test_a_long_export_reports_its_progress(alice, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0)

    assert "0 MB so far\n" in run("export_user", alice.email, "--output", tmp_path / "alice.json")[1]


@pytest.mark.parametrize("command", ["export_user", "erase_user"])
@pytest.mark.parametrize("name", ["bob@example.com", "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52", "x", ""])
def test_an_unknown_user_is_an_error(alice, command, name):
    with pytest.raises(CommandError, match=f"There is no account with the email or id {name}") as error:
        run(command, name)

    assert error.value.returncode == 1


def test_an_output_that_cannot_be_written_is_an_error(alice, tmp_path):
    with pytest.raises(CommandError, match="The export could not be written: File name too long."):
        run("export_user", alice.email, "--output", tmp_path / ("a" * 250))
