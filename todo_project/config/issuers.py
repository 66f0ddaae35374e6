"""Outside issuers of tokens, as TRUSTED_ISSUERS names them. Pure: asks nobody anything."""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

SHARED = frozenset({"HS256", "HS384", "HS512"})
PUBLIC = frozenset({"EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
FIELDS = frozenset({"issuer", "audience", "algorithms", "jwks_url", "secret"})
OURS = "todo"


@dataclass(frozen=True)
class Issuer:
    """Who may vouch for a caller, for which audience, and how that is verified."""

    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...]
    jwks_url: str = ""
    secret: str = ""


def parse(text: str) -> dict[str, Issuer]:
    """The registry by name of the issuer, or ImproperlyConfigured with one sentence."""
    if not text:
        return {}
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ImproperlyConfigured("TRUSTED_ISSUERS is not JSON.") from error
    if not isinstance(entries, list):
        raise ImproperlyConfigured("TRUSTED_ISSUERS must be a list of objects.")
    registry: dict[str, Issuer] = {}
    for number, entry in enumerate(entries, start=1):
        issuer = _issuer(entry, f"TRUSTED_ISSUERS, entry {number}:")
        if issuer.issuer in registry:
            raise ImproperlyConfigured(f"TRUSTED_ISSUERS names {issuer.issuer} twice.")
        registry[issuer.issuer] = issuer
    return registry


def _issuer(entry: Any, where: str) -> Issuer:
    if not isinstance(entry, dict):
        raise ImproperlyConfigured(f"{where} must be an object.")
    if unknown := entry.keys() - FIELDS:
        raise ImproperlyConfigured(
            f"{where} {min(unknown)} is unknown; known are {', '.join(sorted(FIELDS))}."
        )
    name = _texts(entry, "issuer", where)
    if len(name) != 1 or name[0] == OURS:
        raise ImproperlyConfigured(
            f"{where} issuer must be the one text of the token's iss, other than {OURS!r}."
        )
    algorithms = _texts(entry, "algorithms", where)
    family = SHARED if "secret" in entry else PUBLIC
    if ("secret" in entry) == ("jwks_url" in entry):
        raise ImproperlyConfigured(f"{where} needs either jwks_url or secret.")
    # A public key must never be taken for a shared secret, so the two families do not mix.
    if not family.issuperset(algorithms):
        raise ImproperlyConfigured(f"{where} algorithms must be among {', '.join(sorted(family))}.")
    secret, jwks_url = entry.get("secret", ""), entry.get("jwks_url", "")
    if "secret" in entry and (not isinstance(secret, str) or len(secret.encode()) < 32):
        raise ImproperlyConfigured(f"{where} secret must have at least 32 bytes.")
    if "jwks_url" in entry and not is_safe_url(jwks_url):
        raise ImproperlyConfigured(
            f"{where} jwks_url must begin with https:// (http:// to this machine only)."
        )
    return Issuer(name[0], _texts(entry, "audience", where), algorithms, jwks_url=jwks_url, secret=secret)


def _texts(entry: Mapping[str, Any], field: str, where: str) -> tuple[str, ...]:
    value = entry.get(field)
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) and one for one in texts):
        raise ImproperlyConfigured(f"{where} {field} must be a text or a list of texts, none of them empty.")
    return tuple(texts)


def is_safe_url(url: Any) -> bool:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        host = parts.hostname if parts else None
    except ValueError:
        return False
    if parts is None or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
