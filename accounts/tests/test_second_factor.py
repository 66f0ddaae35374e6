"""Two-factor sign-in. The setting is read at the start, so most of its tests run in another process."""

import io
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management import call_command
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User
from tests.support.client import Client


@pytest.mark.own_servers
@pytest.mark.parametrize("database", [[], ["--postgres"]], ids=["sqlite", "postgres"])
def test_with_the_setting_on_staff_need_a_code(database):
    tests = "accounts/tests/second_factor.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    ended = subprocess.run(
        [*command, *database, "--ds", "tests.settings_with_second_factor"],
        cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stdout[-10_000:]
    assert " passed" in ended.stdout


def test_it_is_off_by_default(admin_client):
    assert settings.STAFF_SECOND_FACTOR is False
    assert b"otp_token" not in Client().get("/admin/login/").content
    assert admin_client.get("/admin/").status_code == 200


def test_it_can_be_set_up_before_it_is_switched_on(admin_client):
    call_command("second_factor", User.objects.get().email, stdout=io.StringIO())

    assert (
        admin_client.get(f"/admin/otp_totp/totpdevice/{TOTPDevice.objects.get().pk}/change/").status_code
        == 404
    )
    assert "otp_" not in admin_client.get("/admin/").content.decode()


def test_erasing_a_user_deletes_their_second_factor(admin_client):
    user = User.objects.get()
    call_command("second_factor", user.email, stdout=io.StringIO())
    call_command("erase_user", user.email, "--yes", stdout=io.StringIO())

    assert not TOTPDevice.objects.exists()
    assert not StaticToken.objects.exists()
