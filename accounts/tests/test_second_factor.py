"""The second factor is off, and holds with the setting on. Which apps are there is decided at the start."""

import subprocess
import sys

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command


@pytest.mark.own_servers
@pytest.mark.parametrize("database", [[], ["--postgres"]], ids=["sqlite", "postgres"])
def test_with_the_setting_on_staff_need_a_code(database):
    tests = "accounts/tests/second_factor.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    ended = subprocess.run(
        [*command, *database, "--ds", "accounts.tests.second_factor_settings"],
        cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stdout[-10_000:]
    assert " passed" in ended.stdout


def test_it_is_off_and_its_apps_are_not_there(db, client):
    assert settings.STAFF_SECOND_FACTOR is False
    assert not [app.name for app in apps.get_app_configs() if app.name.startswith("django_otp")]
    assert b"otp_token" not in client.get("/admin/login/").content


def test_the_command_says_that_it_is_off(db):
    with pytest.raises(CommandError, match="Set STAFF_SECOND_FACTOR=true"):
        call_command("second_factor", "root@example.com")
