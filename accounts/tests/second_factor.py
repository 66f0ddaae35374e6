"""Two-factor sign-in. test_second_factor.py runs this file with STAFF_SECOND_FACTOR on."""

import io
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import FailedLogin, User
from tests.support.caller import PASSWORD
from tests.support.client import Client
from tests.support.commands import run
from tests.support.locks import transaction_blocking
from tests.support.second_factor_page import PAGE, recovery_codes_on, set_up
from tests.support.threads import run_together

LOGIN = "/admin/login/?next=/admin/"
WRONG = "The email, password or code is incorrect"


@pytest.fixture
def root(db):
    return User.objects.create_superuser("root@example.com", PASSWORD)


def set_up_second_factor(email="root@example.com", *options):
    return run("second_factor", email, *options)[0]


def code_of(output):
    """The code that the authenticator app shows now."""
    secret = parse_qs(urlsplit(re.findall(r"otpauth://\S+", output)[0]).query)["secret"][0]
    device = TOTPDevice.objects.get()
    assert secret not in device.key
    return f"{totp(device.bin_key):06}"


def recovery_codes(output):
    return re.findall(r"^    ([a-z2-7]{4}-[a-z2-7]{4})$", output, re.MULTILINE)


def log_in(client, code, *, password=PASSWORD, email="root@example.com"):
    return client.post(LOGIN, {"username": email, "password": password, "otp_token": code})


@pytest.mark.parametrize("name", ["email", "pk"])
def test_password_and_code_sign_in(root, client, name):
    response = log_in(client, code_of(set_up_second_factor(str(getattr(root, name)))))

    assert response.status_code == 302
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("code", ["", "000000", "abcdefgh", "😀", "1" * 33])
def test_the_password_alone_does_not_sign_in_and_is_not_confirmed(root, client, code):
    set_up_second_factor()
    page = log_in(client, code)
    other = log_in(Client(), code, password="wrong")

    assert page.status_code == 200
    assert PASSWORD.encode() not in page.content
    assert WRONG in page.content.decode()
    assert WRONG in other.content.decode()
    assert client.get("/admin/").status_code == 302


def test_staff_without_a_second_factor_cannot_sign_in(root, client):
    assert WRONG in log_in(client, "000000").content.decode()
    assert client.get("/admin/").status_code == 302


def test_staff_signed_in_without_a_code_are_redirected_to_the_login(root, client):
    client.force_login(root)

    assert client.get("/admin/").status_code == 302
    assert client.get("/admin/accounts/user/").status_code == 302
    assert b"Sign in again." in client.get(LOGIN).content


def test_spaces_and_capitals_in_a_code_are_accepted(root, client):
    output = set_up_second_factor()
    code, recovery = code_of(output), recovery_codes(output)[0]

    assert log_in(client, f"{code[:3]} {code[3:]}").status_code == 302
    assert log_in(Client(), f" {recovery.upper()} ").status_code == 302


@pytest.mark.parametrize("missing", ["username", "password", "otp_token"])
def test_an_incomplete_form_is_shown_again(root, client, missing):
    form = {"username": "root@example.com", "password": PASSWORD, "otp_token": "000000"}
    del form[missing]

    assert client.post(LOGIN, form).status_code == 200


@pytest.mark.parametrize("read_code", [code_of, lambda output: recovery_codes(output)[0]])
def test_a_code_works_once(root, read_code):
    code = read_code(set_up_second_factor())

    assert [log_in(Client(), code).status_code for _ in range(2)] == [302, 200]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("device", [TOTPDevice, StaticDevice])
def test_a_code_sent_twice_at_the_same_time_works_once(device):
    User.objects.create_superuser("root@example.com", PASSWORD)
    output = set_up_second_factor()
    code = code_of(output) if device is TOTPDevice else recovery_codes(output)[0]

    with transaction_blocking(lambda: log_in(Client(), code).status_code) as second:
        assert device.objects.select_for_update().get().verify_token(code.replace("-", ""))

    assert second == [200]


def test_another_users_code_is_not_accepted(root, client):
    User.objects.create_user("carol@example.com", PASSWORD, is_staff=True)
    set_up_second_factor()
    theirs = recovery_codes(set_up_second_factor("carol@example.com"))

    assert log_in(client, theirs[0]).status_code == 200
    assert log_in(client, theirs[0], email="carol@example.com").status_code == 302


def test_guesses_of_codes_are_recorded_and_throttled(root, client):
    """For a while after a wrong code, even the right one is ignored."""
    output = set_up_second_factor()
    log_in(client, "000000")

    assert FailedLogin.objects.get().email == "root@example.com"
    assert log_in(client, code_of(output)).status_code == 200


def test_the_right_password_without_the_code_is_counted_like_a_wrong_one(root, client):
    set_up_second_factor()
    passwords = ["wrong"] * 3 + [PASSWORD] + ["wrong"] * 2
    pages = [log_in(client, "000000", password=password).content for password in passwords]

    assert [b"Too many failed sign-ins" in page for page in pages] == [False] * 5 + [True]


def test_a_successful_sign_in_clears_the_failures(root, client):
    output = set_up_second_factor()
    for _ in range(4):
        log_in(Client(), "000000", password="wrong")
    assert log_in(client, code_of(output)).status_code == 302

    assert not FailedLogin.objects.exists()


def test_failed_passwords_lock_the_login(root, client):
    output = set_up_second_factor()
    for _ in range(5):
        log_in(client, "000000", password="wrong")

    page = log_in(client, code_of(output))

    assert b"Too many failed sign-ins. Try again in 15 minutes." in page.content


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_concurrent_set_ups_leave_one_device():
    User.objects.create_superuser("root@example.com", PASSWORD)
    run_together(4, set_up_second_factor)

    assert TOTPDevice.objects.count() == StaticDevice.objects.count() == 1
    assert StaticToken.objects.count() == 10


@pytest.mark.parametrize(("options", "count"), [([], 10), (["--remove"], 0)])
def test_a_second_factor_that_is_replaced_or_removed_no_longer_works(root, client, options, count):
    old = recovery_codes(set_up_second_factor())
    new = recovery_codes(set_up_second_factor("root@example.com", *options))

    assert log_in(client, old[0]).status_code == 200
    assert len(set(new) - set(old)) == StaticToken.objects.count() == count


def test_a_recovery_code_is_enough_to_set_up_the_app_in_the_browser(root, client):
    issued = recovery_codes(set_up_second_factor())
    log_in(client, issued[0])
    shown = recovery_codes_on(set_up(client))

    assert client.get("/admin/").status_code == 200
    assert [log_in(Client(), code).status_code for code in (shown[0], issued[1])] == [302, 200]


def test_the_page_to_set_up_an_app_requires_a_code(root, client):
    client.force_login(root)

    assert client.get(PAGE).status_code == 302


def test_only_staff_can_have_a_second_factor(alice):
    with pytest.raises(CommandError, match="No staff account has this email or id."):
        set_up_second_factor("alice@example.com")


class FullDisk(io.StringIO):
    """A stream on a full disk."""

    def flush(self):
        raise OSError("No space left on device")


def test_if_printing_fails_the_old_second_factor_still_works(root, client):
    old = recovery_codes(set_up_second_factor())
    with pytest.raises(CommandError, match="No space left on device. Nothing was changed."):
        call_command("second_factor", "root@example.com", stdout=FullDisk())

    assert log_in(client, old[0]).status_code == 302


def test_no_page_shows_the_secret(root, client):
    output = set_up_second_factor()
    codes = recovery_codes(output)
    log_in(client, code_of(output))

    for model in (TOTPDevice, StaticDevice):
        path = f"/admin/{model._meta.label_lower.replace('.', '/')}/{model.objects.get().pk}/change/"
        assert client.get(path).status_code == 404
    assert codes[1] not in client.get("/admin/").content.decode()
    assert "otp_" not in client.get("/admin/").content.decode()


def test_the_api_requires_no_code(alice, anyone):
    answer = anyone("post", "/auth/token", {"email": "alice@example.com", "password": PASSWORD})

    assert answer.status_code == 200
