"""The public keys of outside issuers: fetched seldom, kept while the issuer is down, in nobody's way."""

import json
import logging
import threading
import time
import urllib.request
from functools import cache
from http.client import HTTPException
from typing import Any

import jwt

from todo_project.api.errors import ServiceUnavailable
from todo_project.config.issuers import Issuer

from .errors import InvalidToken

logger = logging.getLogger(__name__)

FETCH_SECONDS = 3
LARGEST = 256 * 1024
FRESH_SECONDS = 600
PAUSE_SECONDS = 10
"""Between two fetches, whatever made them necessary: so many tokens with made-up keys cost so few fetches."""


def key_for(issuer: Issuer, header: dict[str, Any]) -> Any:
    """The key that must have signed a token with this header."""
    if issuer.secret:
        return issuer.secret.encode()
    return _keys_of(issuer.jwks_url).find(header)


class Keys:
    """One issuer's keys. Readers never wait for a fetch that could only tell them the same again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.by_id: dict[str | None, dict[str, Any]] = {}
        self.fetched_at = self.tried_at = float("-inf")
        self.fetching = threading.Lock()

    def find(self, header: dict[str, Any]) -> Any:
        key = self.known(header)
        if key is None:
            self.learn()
            key = self.known(header)
        elif time.monotonic() - self.fetched_at > FRESH_SECONDS:
            self.refresh()
            key = self.known(header)
        if key is not None:
            return key
        if not self.by_id:
            raise ServiceUnavailable(
                "The keys of the token's issuer cannot be had right now. Try again shortly."
            )
        raise InvalidToken

    def known(self, header: dict[str, Any]) -> Any:
        kid = header.get("kid")
        if kid is None and len(self.by_id) == 1:
            [found] = self.by_id.values()
        else:
            found = self.by_id.get(kid, {}) if isinstance(kid, str) else {}
        if found and found["alg"] in (None, header.get("alg")):
            return found["key"]
        return None

    def learn(self) -> None:
        """Fetch for a key that is not known; only while none is known, wait for one who fetches already."""
        if self.fetching.acquire(timeout=0 if self.by_id else FETCH_SECONDS):
            try:
                self.fetch()
            finally:
                self.fetching.release()
        elif self.by_id:
            raise ServiceUnavailable("The keys of the token's issuer are being fetched. Try again shortly.")

    def refresh(self) -> None:
        """Fetch keys anew that are only old; one caller does it, the others go on with the old ones."""
        if self.fetching.acquire(blocking=False):
            try:
                self.fetch()
            finally:
                self.fetching.release()

    def fetch(self) -> None:
        if time.monotonic() - self.tried_at < PAUSE_SECONDS:
            return
        self.tried_at = time.monotonic()
        try:
            self.by_id = read(self.url)
            self.fetched_at = time.monotonic()
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            logger.warning("The keys at %s cannot be had: %s", self.url, type(error).__name__)


@cache
def _keys_of(url: str) -> Keys:
    return Keys(url)


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The registry says where keys come from, and nobody else."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_opener = urllib.request.build_opener(NoRedirects)


def read(url: str) -> dict[str | None, dict[str, Any]]:
    """The usable keys of a JWKS by their id, or ValueError when there is none."""
    with _opener.open(url, timeout=FETCH_SECONDS) as response:
        content = response.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError("too large")
    document = json.loads(content)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a key set")
    keys = {}
    for entry in entries:
        if isinstance(entry, dict) and entry.get("use", "sig") == "sig" and entry.get("kty") != "oct":
            try:
                keys[entry.get("kid")] = {"key": jwt.PyJWK(entry).key, "alg": entry.get("alg")}
            except (jwt.PyJWTError, ValueError, TypeError):
                logger.warning("A key at %s is of a kind not known here; it is left out.", url)
    if not keys:
        raise ValueError("no usable key")
    return keys
