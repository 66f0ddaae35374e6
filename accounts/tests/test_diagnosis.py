"""The doctor's checks of accounts."""

from datetime import timedelta

import pytest
from django.core import checks
from django.utils import timezone

from accounts import diagnosis
from accounts.models import FailedLogin, Session, User
from tests.support.caller import sign_in
from tests.support.commands import run


def test_keys_that_can_be_fetched_are_counted(issuer):
    [message] = diagnosis.identity_providers()

    assert message == checks.Info(f"The keys of {issuer.name} can be fetched (1).")


@pytest.mark.parametrize(("status", "content"), [(500, b""), (200, b"<html>"), (200, b'{"keys": []}')])
def test_an_invalid_response_is_an_error(issuer, status, content):
    issuer.answer(status, content)

    [message] = diagnosis.identity_providers()

    assert message.level == checks.ERROR
    assert message.msg.startswith(f"The keys of {issuer.name} cannot be fetched: ")
    assert str(message.hint).startswith("Correct jwks_url in TRUSTED_ISSUERS")


def test_an_unreachable_identity_provider_is_an_error(issuer):
    issuer.close()

    [message] = diagnosis.identity_providers()

    assert message.level == checks.ERROR
    assert "Connection refused" in message.msg


def test_staff_members_without_a_second_factor_are_counted(settings, alice):
    settings.STAFF_SECOND_FACTOR = True
    carol, _ = (
        User.objects.create_superuser(f"{name}@example.com", "secret-8765") for name in ("carol", "dave")
    )
    User.objects.create_superuser("gone@example.com", is_active=False)
    run("second_factor", "dave@example.com")
    [message] = diagnosis.second_factors()
    assert message.level == checks.WARNING
    assert message.msg == "Staff members without a second factor, who cannot sign in: 1."

    carol.delete()
    [message] = diagnosis.second_factors()
    assert message.level == checks.INFO


def test_no_second_factor_is_needed_unless_the_setting_requires_it(alice):
    assert list(diagnosis.second_factors()) == []


def test_clients_whose_address_cannot_be_read_are_a_warning(settings, alice):
    settings.TRUSTED_PROXY_COUNT = 1
    sign_in(**{"X-Forwarded-For": "203.0.113.7"})
    [message] = diagnosis.client_addresses()
    assert message.level == checks.INFO

    sign_in(**{"X-Forwarded-For": "unknown"})
    sign_in(password="wrong")
    [message] = diagnosis.client_addresses()
    assert message.level == checks.WARNING
    assert message.msg == "Recent sign-ins from an address that cannot be read: 2 of 3."
    assert "TRUSTED_PROXY_COUNT" in str(message.hint)

    FailedLogin.objects.update(at=timezone.now() - timedelta(days=2))
    Session.objects.update(created_at=timezone.now() - timedelta(days=2))
    [message] = diagnosis.client_addresses()
    assert message.level == checks.INFO
