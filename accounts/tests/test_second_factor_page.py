"""Staff set up an authenticator app in the browser."""

import re

import pytest
import segno
from django.contrib.admin.models import LogEntry
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import FailedLogin, User
from tests.support.admin_client import staff_client
from tests.support.caller import PASSWORD
from tests.support.second_factor_page import PAGE, code_on, recovery_codes_on, secret_on, set_up


@pytest.fixture
def superuser(superuser):
    user = User.objects.get()
    user.set_password(PASSWORD)
    user.save()
    superuser.force_login(user)
    return superuser


def drawn_modules(page):
    """The black squares of the QR code on the page, as (x, y)."""
    [path] = re.findall(r'<path class="qrline"[^>]* d="M([^"]+)"', page.content.decode())
    modules, x, y = set(), 0.0, 0.0
    for command, arguments in re.findall(r"([mhM])([-\d. ]+)", f"M{path}"):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", arguments)]
        if command == "h":
            modules |= {(int(x) + step, int(y)) for step in range(int(numbers[0]))}
            x += numbers[0]
        elif command == "M":
            x, y = numbers
        else:
            x, y = x + numbers[0], y + numbers[1]
    return modules


def test_the_page_shows_a_qr_code_with_the_secret_of_the_user(superuser):
    page = superuser.get(PAGE)
    url = f"otpauth://totp/Todo%20API%3Asuperuser%40example.com?secret={secret_on(page)}"
    app = TOTPDevice(user=User.objects.get(), key=superuser.session["second_factor_key"])

    assert app.config_url.startswith(url)
    matrix = segno.make_qr(app.config_url, error="m").matrix
    border = 4
    expected = {
        (x + border, y + border) for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark
    }
    assert drawn_modules(page) == expected
    assert superuser.get(PAGE).content.count(secret_on(page)[:4].encode()) == 1  # A reload keeps it.


def test_a_code_from_the_app_sets_it_up_and_shows_recovery_codes_once(superuser):
    page = set_up(superuser)

    codes = recovery_codes_on(page)
    assert len(codes) == 10
    assert sorted(code.replace("-", "") for code in codes) == sorted(
        StaticToken.objects.values_list("token", flat=True)
    )
    assert TOTPDevice.objects.get().confirmed
    assert codes[0].encode() not in superuser.get(PAGE).content
    assert "no-store" in page.headers["Cache-Control"]
    assert LogEntry.objects.get().get_change_message() == "Set up two-factor authentication."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": "000000"}, "The code is incorrect."),
        ({"code": "x"}, "The code is incorrect."),
        ({"code": "²"}, "The code is incorrect."),
        ({"code": ""}, "This field is required."),
        ({"password": "wrong"}, "Your password was entered incorrectly."),
        ({"password": ""}, "This field is required."),
    ],
)
def test_a_wrong_code_or_password_sets_nothing_up(superuser, changes, message):
    page = set_up(superuser, **changes)

    assert message in page.content.decode()
    assert not TOTPDevice.objects.exists()


def test_guesses_of_the_password_are_limited(superuser):
    pages = [set_up(superuser, password="wrong").content.decode() for _ in range(6)]

    assert ["entered incorrectly" in page for page in pages] == [True] * 5 + [False]
    assert "Too many failed sign-ins." in pages[5]
    assert FailedLogin.objects.count() == 5


def test_setting_it_up_again_replaces_the_app_and_its_recovery_codes(superuser):
    first = recovery_codes_on(set_up(superuser))
    old = TOTPDevice.objects.get().key
    assert "You have a second factor." in superuser.get(PAGE).content.decode()
    second = recovery_codes_on(set_up(superuser))

    assert TOTPDevice.objects.get().key != old
    assert not {*first} & {*second}
    assert StaticToken.objects.count() == 10


def test_a_code_that_set_the_app_up_does_not_sign_in_as_well(superuser):
    code = code_on(superuser.get(PAGE))
    set_up(superuser)

    assert not TOTPDevice.objects.get().verify_token(code)


def test_the_page_needs_a_staff_account_and_every_page_links_it(client, db):
    staff = staff_client("Support")

    assert client.get(PAGE).status_code == 302
    assert f'href="{PAGE}"' in staff.get("/admin/").content.decode()
    assert staff.get(PAGE).status_code == 200
    assert f"{totp(bytes.fromhex(staff.session['second_factor_key'])):06}" == code_on(staff.get(PAGE))
