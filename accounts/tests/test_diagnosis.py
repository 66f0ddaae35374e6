"""The doctor fetches an outside issuer's keys as the server does."""

import json

import pytest

from accounts import diagnosis
from todo_project import issuers

from .issuer import SECRET, Issuer


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
