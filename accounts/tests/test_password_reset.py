"""POST /auth/password/reset and /confirm."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from accounts import password_reset
from accounts.models import FailedLogin, Session, User
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, Caller, sign_in

NEW = "another horse, another battery"


@pytest.fixture
def ask(anyone, django_capture_on_commit_callbacks):
    def ask(email="alice@example.com"):
        with django_capture_on_commit_callbacks(execute=True):
            response = anyone("post", "/auth/password/reset", {"email": email})
        password_reset._mail_executor.submit(lambda: None).result(
            timeout=10
        )  # what was posted before has been sent
        return response

    return ask


@pytest.fixture
def token(alice, ask):
    ask()
    [found] = re.findall(r"^ {4}(\S+)", str(mail.outbox[0].body), re.MULTILINE)
    return found


def confirm(token, password=NEW):
    return Caller()("post", "/auth/password/reset/confirm", {"token": token, "new_password": password})


def test_a_known_and_an_unknown_email_answer_alike(alice, ask):
    known, unknown = ask(), ask("nobody@example.com")

    assert (known.status_code, unknown.status_code) == (202, 202)
    assert known.content == unknown.content
    assert [message.to for message in mail.outbox] == [["alice@example.com"]]


def test_the_mail_can_lead_to_a_page_of_the_front_end(alice, ask, settings):
    settings.PASSWORD_RESET_URL = "https://app.example.com/reset#{token}"
    ask()

    assert "https://app.example.com/reset#" in mail.outbox[0].body


def test_a_token_sets_the_password_and_ends_every_session(token, pair):
    assert confirm(token).status_code == 200

    assert_error(Caller(pair["access"])("get", "/me"), 401, "INVALID_TOKEN")
    assert_error(sign_in(), 401, "INVALID_CREDENTIALS")
    assert sign_in(password=NEW).status_code == 200


def test_a_token_is_good_for_one_change(token):
    confirm(token)

    assert_error(confirm(token, "a third horse and battery"), 400, "VALIDATION_ERROR", field="token")


def test_a_token_expires(token, settings, monkeypatch):
    later = timezone.now().replace(tzinfo=None) + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT + 5)
    monkeypatch.setattr("accounts.password_reset.default_token_generator._now", lambda: later)

    assert_error(confirm(token), 400, "VALIDATION_ERROR", field="token")


def test_a_weak_password_is_refused_and_the_token_stays_good(token):
    assert_error(confirm(token, "short"), 400, "VALIDATION_ERROR", field="new_password")

    assert confirm(token).status_code == 200


@pytest.mark.parametrize(
    "forged", ["x", "x.y", ".", "6f1c7f5e6a0e4d5b9b0e0d0a3f6f3b52.cx0-abc", "é.é", "a" * 200]
)
def test_a_forged_token_is_refused(alice, forged):
    assert_error(confirm(forged), 400, "VALIDATION_ERROR", field="token")


def test_another_persons_token_does_not_fit(token, bob):
    forged = f"{bob.pk.hex}.{token.partition('.')[2]}"

    assert_error(confirm(forged), 400, "VALIDATION_ERROR", field="token")


def test_a_reset_lifts_a_block_on_signing_in(token):
    for number in range(100):
        FailedLogin.objects.create(email="alice@example.com", address=f"10.0.0.{number}", at=timezone.now())
    assert_error(sign_in(), 429, "RATE_LIMITED")

    confirm(token)

    assert sign_in(password=NEW).status_code == 200


def test_a_deactivated_account_gets_no_mail(alice, ask):
    User.objects.update(is_active=False)

    assert ask().status_code == 202
    assert mail.outbox == []


def test_a_mailbox_cannot_be_flooded(alice, ask):
    assert [ask().status_code for _ in range(5)] == [202] * 5
    assert len(mail.outbox) == 3


def test_a_mail_that_cannot_be_sent_is_logged_without_its_token(alice, ask, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise ConnectionRefusedError

    monkeypatch.setattr("accounts.password_reset.send_mail", fail)

    assert ask().status_code == 202
    assert "could not be sent" in caplog.text
    assert alice.pk.hex not in caplog.text


def test_a_reset_starts_no_session(token):
    confirm(token)

    assert not Session.objects.live(at=timezone.now()).exists()
    assert sign_in(password=PASSWORD).status_code == 401
