"""POST /auth/password/reset and /confirm."""

import re
from datetime import datetime, timedelta
from smtplib import SMTPRecipientsRefused

import pytest
from django.core import mail
from django.utils import timezone

from accounts import password_reset
from accounts.models import FailedLogin, Session, User
from tests.support.assertions import assert_error
from tests.support.caller import Caller, sign_in
from tests.support.processes import TIMEOUT

NEW = "another horse, another battery"


@pytest.fixture
def request_reset(anyone, django_capture_on_commit_callbacks):
    def request_reset(email="alice@example.com"):
        with django_capture_on_commit_callbacks(execute=True):
            response = anyone("post", "/auth/password/reset", {"email": email})
        # Wait until the single worker has sent the emails submitted before.
        password_reset._mail_executor.submit(lambda: None).result(timeout=TIMEOUT)
        return response

    return request_reset


@pytest.fixture
def token(alice, request_reset):
    request_reset()
    [found] = re.findall(r"^ {4}(\S+)", str(mail.outbox[0].body), re.MULTILINE)
    return found


def confirm(token, password=NEW, **headers):
    body = {"token": token, "new_password": password}
    return Caller()("post", "/auth/password/reset/confirm", body, **headers)


def test_known_and_unknown_emails_get_the_same_response(alice, request_reset):
    known, unknown = request_reset(), request_reset("nobody@example.com")

    assert (known.status_code, unknown.status_code) == (202, 202)
    assert known.content == unknown.content
    assert [message.to for message in mail.outbox] == [["alice@example.com"]]


def test_the_email_can_link_to_a_page_of_the_front_end(alice, request_reset, settings):
    settings.PASSWORD_RESET_URL = "https://app.example.com/reset#{token}"
    request_reset()

    assert "https://app.example.com/reset#" in mail.outbox[0].body


def test_confirming_sets_the_password_ends_all_sessions_and_starts_none(token, pair):
    assert confirm(token).status_code == 200

    assert not Session.objects.live(at=timezone.now()).exists()
    assert_error(Caller(pair["access"])("get", "/me"), 401, "INVALID_TOKEN")
    assert_error(sign_in(), 401, "INVALID_CREDENTIALS")
    assert sign_in(password=NEW).status_code == 200


def test_a_reset_revokes_personal_tokens_and_identities(token, as_alice, issuer):
    personal = as_alice("post", "/me/tokens", {"name": "script", "scopes": ["account"]}).json()["token"]
    as_alice("post", "/me/identities", {"token": issuer.token()})
    confirm(token)

    assert_error(Caller(personal)("get", "/me"), 401, "INVALID_TOKEN")
    assert Caller(issuer.token())("get", "/me").json()["email"] is None


def test_a_reset_leaves_the_credentials_of_other_users_alone(token, credentials, bob):
    confirm(token)

    assert (bob.tokens.count(), bob.identities.count()) == (1, 1)
    assert Session.objects.live(at=timezone.now()).filter(user=bob).count() == 1


def test_a_sign_in_does_not_invalidate_a_token(token):
    sign_in()

    assert confirm(token).status_code == 200


def test_a_retry_with_an_idempotency_key_returns_the_first_response_again(token):
    key = {"Idempotency-Key": "k"}
    first, again = (confirm(token, **key) for _ in range(2))

    assert (again.status_code, again.content) == (200, first.content)
    assert_error(confirm(token, "a third horse and battery", **key), 422, "IDEMPOTENCY_KEY_REUSED")
    assert sign_in(password=NEW).status_code == 200


def test_a_token_sent_to_an_earlier_email_is_refused(token):
    User.objects.update(email="alice@example.org")

    assert_error(confirm(token), 400, "VALIDATION_ERROR", field="token")


def test_a_token_works_once(token):
    confirm(token)

    assert_error(confirm(token, "a third horse and battery"), 400, "VALIDATION_ERROR", field="token")


@pytest.mark.parametrize(("minutes", "status"), [(59, 200), (61, 400)])
def test_a_token_expires_after_an_hour(token, monkeypatch, minutes, status):
    later = datetime.now() + timedelta(minutes=minutes)  # noqa: DTZ005  # as Django does
    monkeypatch.setattr("accounts.password_reset.token_generator._now", lambda: later)

    assert confirm(token).status_code == status


def test_the_token_of_an_account_that_has_been_deactivated_is_refused(token):
    User.objects.update(is_active=False)

    assert_error(confirm(token), 400, "VALIDATION_ERROR", field="token")


def test_a_weak_password_is_refused_and_the_token_stays_valid(token):
    assert_error(confirm(token, "short"), 400, "VALIDATION_ERROR", field="new_password")

    assert confirm(token).status_code == 200


@pytest.mark.parametrize(
    "forged", ["x", "x.y", ".", "6f1c7f5e6a0e4d5b9b0e0d0a3f6f3b52.cx0-abc", "é.é", "a" * 200]
)
@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}])
def test_a_forged_token_is_refused(alice, forged, key):
    assert_error(confirm(forged, **key), 400, "VALIDATION_ERROR", field="token")


def test_a_token_does_not_work_for_another_user(token, bob):
    forged = f"{bob.pk.hex}.{token.partition('.')[2]}"

    assert_error(confirm(forged), 400, "VALIDATION_ERROR", field="token")


def test_a_reset_clears_the_failed_logins_of_the_account_only(token):
    now = timezone.now()
    FailedLogin.objects.create(email="bob@example.com", address="10.0.0.1", at=now)
    for number in range(100):
        FailedLogin.objects.create(email="alice@example.com", address=f"10.0.0.{number}", at=now)
    assert_error(sign_in(), 429, "TOO_MANY_ATTEMPTS")

    confirm(token)

    assert sign_in(password=NEW).status_code == 200
    assert FailedLogin.objects.get().email == "bob@example.com"


def test_a_deactivated_account_gets_no_email(alice, request_reset):
    User.objects.update(is_active=False)

    assert request_reset().status_code == 202
    assert mail.outbox == []


def test_an_account_gets_at_most_three_emails_per_hour(alice, request_reset):
    assert [request_reset().status_code for _ in range(5)] == [202] * 5
    assert len(mail.outbox) == 3


def test_an_email_too_long_for_a_cache_key_causes_no_warning_that_contains_it(request_reset):
    email = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.com"

    assert request_reset(email).status_code == 202


@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError(), SMTPRecipientsRefused({"alice@example.com": (550, b"no such mailbox")})],
)
def test_a_failure_to_send_the_email_is_logged_without_the_token_and_the_email(
    alice, request_reset, monkeypatch, caplog, error
):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("accounts.password_reset.send_mail", fail)

    assert request_reset().status_code == 202
    assert "could not be sent" in caplog.text
    assert type(error).__name__ in caplog.text
    assert alice.pk.hex not in caplog.text
    assert alice.email not in caplog.text
