"""The doctor fetches an outside issuer's keys as the server does."""

import io
import json

import pytest
from django.core.management import call_command

from accounts import diagnosis
from accounts.models import User
from tests.support.issuer import SECRET, Issuer
from todo_project.config import issuers


@pytest.fixture
def issuer(settings):
    server = Issuer()
    backend = {"issuer": "backend", "audience": "todo", "algorithms": ["HS256"], "secret": SECRET}
    settings.TRUSTED_ISSUERS = issuers.parse(json.dumps([server.registered, backend]))
    yield server
    server.close()


def test_keys_that_can_be_had_are_counted(issuer):
    [found] = diagnosis.outside_issuers()

    assert (found.level, found.found) == ("ok", f"The keys of {issuer.name} can be had (1).")


@pytest.mark.parametrize(("status", "content"), [(500, b""), (200, b"<html>"), (200, b'{"keys": []}')])
def test_an_issuer_that_answers_nonsense_is_a_problem(issuer, status, content):
    issuer.answer(status, content)

    [found] = diagnosis.outside_issuers()

    assert found.level == "problem"
    assert found.found.startswith(f"The keys of {issuer.name} cannot be had: ")
    assert found.advice.startswith("Correct jwks_url in TRUSTED_ISSUERS")


def test_an_issuer_that_is_gone_is_a_problem(issuer):
    issuer.close()

    [found] = diagnosis.outside_issuers()

    assert found.level == "problem"
    assert "Connection refused" in found.found


def test_staff_who_are_asked_for_a_code_and_have_none_are_counted(settings, alice):
    settings.STAFF_SECOND_FACTOR = True
    carol, _ = (
        User.objects.create_superuser(f"{name}@example.com", "secret-8765") for name in ("carol", "dave")
    )
    User.objects.create_superuser("gone@example.com", is_active=False)
    call_command("second_factor", "dave@example.com", stdout=io.StringIO())
    [found] = diagnosis.second_factors()
    assert (found.level, found.found[:29]) == ("warning", "1 of the staff cannot sign in")

    carol.delete()
    [found] = diagnosis.second_factors()
    assert found.level == "ok"


def test_nobody_needs_a_second_factor_where_none_is_asked_for(alice):
    assert list(diagnosis.second_factors()) == []
