"""Two-factor sign-in. The setting is read at the start, so most of its tests run in another process."""

import subprocess
import sys

import pytest
from django.conf import settings
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User
from tests.support.client import Client
from tests.support.commands import run


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


def test_the_second_factor_is_off_by_default(admin_client):
    assert settings.STAFF_SECOND_FACTOR is False
    assert b"otp_token" not in Client().get("/admin/login/").content
    assert admin_client.get("/admin/").status_code == 200


def test_a_second_factor_can_be_set_up_before_it_is_required(admin_client):
    run("second_factor", User.objects.get().email)
    device = TOTPDevice.objects.get()

    assert admin_client.get(f"/admin/otp_totp/totpdevice/{device.pk}/change/").status_code == 404
    assert "otp_" not in admin_client.get("/admin/").content.decode()


def test_erasing_a_user_deletes_their_second_factor(admin_client):
    user = User.objects.get()
    run("second_factor", user.email)
    run("erase_user", user.email, "--yes")

    assert not TOTPDevice.objects.exists()
    assert not StaticToken.objects.exists()
