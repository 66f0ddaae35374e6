"""Parses TRUSTED_ISSUERS: the identity providers whose tokens are accepted. No network access."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from .database import is_local

SECRET_ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})
PUBLIC_KEY_ALGORITHMS = frozenset(
    {"EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
)
FIELDS = frozenset({"issuer", "audience", "algorithms", "jwks_url", "secret"})
OWN_ISSUER = "todo"


@dataclass(frozen=True)
class Issuer:
    """An identity provider, the audience of its tokens, and how they are verified."""

    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...]
    jwks_url: str = ""
    secret: str = ""


def parse(text: str) -> dict[str, Issuer]:
    """The issuers by name. Raises ImproperlyConfigured."""
    if not text:
        return {}
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ImproperlyConfigured("TRUSTED_ISSUERS must be valid JSON.") from error
    if not isinstance(entries, list):
        raise ImproperlyConfigured("TRUSTED_ISSUERS must be a list of objects.")
    registry: dict[str, Issuer] = {}
    for number, entry in enumerate(entries, start=1):
        issuer = _issuer(entry, f"TRUSTED_ISSUERS, entry {number}:")
        if issuer.issuer in registry:
            raise ImproperlyConfigured(f"TRUSTED_ISSUERS contains {issuer.issuer} twice.")
        registry[issuer.issuer] = issuer
    return registry


def _issuer(entry: Any, where: str) -> Issuer:
    if not isinstance(entry, dict):
        raise ImproperlyConfigured(f"{where} must be an object.")
    if unknown := entry.keys() - FIELDS:
        raise ImproperlyConfigured(
            f"{where} unknown field {min(unknown)}; the fields are {', '.join(sorted(FIELDS))}."
        )
    name = _strings(entry, "issuer", where)
    if len(name) != 1 or name[0] == OWN_ISSUER:
        raise ImproperlyConfigured(
            f"{where} issuer must be one string, the iss of its tokens, and not {OWN_ISSUER!r}."
        )
    algorithms = _strings(entry, "algorithms", where)
    family = SECRET_ALGORITHMS if "secret" in entry else PUBLIC_KEY_ALGORITHMS
    if ("secret" in entry) == ("jwks_url" in entry):
        raise ImproperlyConfigured(f"{where} must have either jwks_url or secret.")
    # One kind per issuer: otherwise a public key could be used as a shared secret.
    if not family.issuperset(algorithms):
        raise ImproperlyConfigured(f"{where} algorithms must be from {', '.join(sorted(family))}.")
    secret, jwks_url = entry.get("secret", ""), entry.get("jwks_url", "")
    if "secret" in entry and (not isinstance(secret, str) or len(secret.encode()) < 32):
        raise ImproperlyConfigured(f"{where} secret must have at least 32 bytes.")
    if "jwks_url" in entry and not is_safe_url(jwks_url):
        raise ImproperlyConfigured(
            f"{where} jwks_url must begin with https:// (http:// only for this machine)."
        )
    return Issuer(name[0], _strings(entry, "audience", where), algorithms, jwks_url=jwks_url, secret=secret)


def _strings(entry: Mapping[str, Any], field: str, where: str) -> tuple[str, ...]:
    value = entry.get(field)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(one, str) and one for one in values):
        raise ImproperlyConfigured(
            f"{where} {field} must be a string or a list of strings, none of them empty."
        )
    return tuple(values)


def is_safe_url(url: Any) -> bool:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        host = parts.hostname if parts and parts.port != 0 else None
    except ValueError:
        return False
    if parts is None or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_local(host))
