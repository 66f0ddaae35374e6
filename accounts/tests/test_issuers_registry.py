"""TRUSTED_ISSUERS is validated at the start."""

import json
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from todo_project.config.issuers import parse

GOOD: dict[str, Any] = {
    "issuer": "https://a.example.com",
    "audience": "todo",
    "algorithms": ["EdDSA"],
    "jwks_url": "https://a.example.com/jwks",
}
SHARED: dict[str, Any] = {
    "issuer": "backend",
    "audience": ["todo", "b"],
    "algorithms": ["HS256"],
    "secret": "x" * 32,
}


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


CHANGES: list[dict[str, Any]] = [
    {"jwks": "x"}, {"issuer": ""}, {"issuer": ["a", "b"]}, {"issuer": "todo"},
    {"audience": []}, {"audience": [""]}, {"audience": 7},
    {"algorithms": []}, {"algorithms": ["none"]}, {"algorithms": ["HS256"]},
    {"algorithms": ["RS256", "HS256"]}, {"secret": "x" * 32},
    {"jwks_url": "http://a.example.com/jwks"}, {"jwks_url": "http://localhost.example.com/jwks"},
    {"jwks_url": "ftp://a.example.com/jwks"}, {"jwks_url": "https://"}, {"jwks_url": "https://[x"},
    {"jwks_url": "https://a.example.com:port/jwks"}, {"jwks_url": "https://a.example.com:70000/jwks"},
    {"jwks_url": 7},
]  # fmt: skip
INVALID = [
    "{", '"x"', "{}", "[7]", [GOOD, GOOD],
    *([{key: GOOD[key] for key in GOOD if key != missing}] for missing in GOOD),
    *([GOOD | change] for change in CHANGES),
    [SHARED | {"algorithms": ["RS256"]}], [SHARED | {"secret": "x" * 31}], [SHARED | {"secret": None}],
]  # fmt: skip


@pytest.mark.parametrize("registry", INVALID, ids=json.dumps)
def test_an_invalid_setting_is_one_sentence_with_the_name_of_the_variable(registry):
    text = registry if isinstance(registry, str) else json.dumps(registry)

    with pytest.raises(ImproperlyConfigured, match=r"^TRUSTED_ISSUERS") as refusal:
        parse(text)

    assert "\n" not in str(refusal.value)
    assert "x" * 31 not in str(refusal.value)
