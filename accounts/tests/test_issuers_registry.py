"""TRUSTED_ISSUERS is validated at the start."""

import json

import pytest
from django.core.exceptions import ImproperlyConfigured

from todo_project.config.issuers import parse

GOOD = {
    "issuer": "https://a.example.com",
    "audience": "todo",
    "algorithms": ["EdDSA"],
    "jwks_url": "https://a.example.com/jwks",
}
SHARED = {"issuer": "backend", "audience": ["todo", "b"], "algorithms": ["HS256"], "secret": "x" * 32}


def without(entry, *names):
    return {name: value for name, value in entry.items() if name not in names}


def test_an_empty_setting_trusts_no_issuer():
    assert parse("") == {}
    assert parse("[]") == {}


def test_issuers_are_indexed_by_name():
    registry = parse(json.dumps([GOOD, SHARED]))

    assert set(registry) == {"https://a.example.com", "backend"}
    assert registry["backend"].audience == ("todo", "b")
    assert registry["https://a.example.com"].algorithms == ("EdDSA",)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/jwks", "http://localhost/jwks", "http://[::1]/jwks", "https://x/y"]
)
def test_a_key_url_must_use_https_or_localhost(url):
    assert parse(json.dumps([{**GOOD, "jwks_url": url}]))


@pytest.mark.parametrize(
    "registry",
    [
        "{",
        '"x"',
        "{}",
        "[7]",
        [{**GOOD, "jwks": "x"}],
        [without(GOOD, "issuer")],
        [{**GOOD, "issuer": ""}],
        [{**GOOD, "issuer": ["a", "b"]}],
        [{**GOOD, "issuer": "todo"}],
        [without(GOOD, "audience")],
        [{**GOOD, "audience": []}],
        [{**GOOD, "audience": [""]}],
        [{**GOOD, "audience": 7}],
        [without(GOOD, "algorithms")],
        [{**GOOD, "algorithms": []}],
        [{**GOOD, "algorithms": ["none"]}],
        [{**GOOD, "algorithms": ["HS256"]}],
        [{**GOOD, "algorithms": ["RS256", "HS256"]}],
        [{**SHARED, "algorithms": ["RS256"]}],
        [without(GOOD, "jwks_url")],
        [{**GOOD, "secret": "x" * 32}],
        [{**SHARED, "secret": "x" * 31}],
        [{**SHARED, "secret": None}],
        [{**GOOD, "jwks_url": "http://a.example.com/jwks"}],
        [{**GOOD, "jwks_url": "http://localhost.example.com/jwks"}],
        [{**GOOD, "jwks_url": "ftp://a.example.com/jwks"}],
        [{**GOOD, "jwks_url": "https://"}],
        [{**GOOD, "jwks_url": "https://[x"}],
        [{**GOOD, "jwks_url": 7}],
        [GOOD, GOOD],
    ],
)
def test_an_invalid_setting_is_one_sentence_with_the_name_of_the_variable(registry):
    text = registry if isinstance(registry, str) else json.dumps(registry)

    with pytest.raises(ImproperlyConfigured, match=r"^TRUSTED_ISSUERS") as refusal:
        parse(text)

    assert "\n" not in str(refusal.value)
    assert "x" * 31 not in str(refusal.value)
