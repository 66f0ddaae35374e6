"""The public keys of identity providers, fetched over HTTP, cached, and served stale during an outage."""

import json
import logging
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import jwt

from todo_project.api.errors import ServiceUnavailable
from todo_project.config.issuers import Issuer

from .errors import InvalidToken

logger = logging.getLogger(__name__)

FETCH_TIMEOUT = 3
MAX_BYTES = 256 * 1024
MAX_AGE = 600
MIN_FETCH_INTERVAL = 10
"""In seconds like the others; limits the fetches that tokens with made-up key ids can cause."""


def key_for(issuer: Issuer, header: dict[str, Any]) -> Any:
    """The key that verifies a token with this header."""
    if issuer.secret:
        return issuer.secret.encode()
    return _cached_keys(issuer.jwks_url).find(header)


class Keys:
    """The keys of one issuer. A request whose key is known never waits for a fetch."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.by_id: dict[str | None, dict[str, Any]] = {}
        self.fetched_at = self.attempted_at = float("-inf")
        self.lock = threading.Lock()

    def find(self, header: dict[str, Any]) -> Any:
        key = self.cached(header)
        if key is not None and time.monotonic() - self.fetched_at <= MAX_AGE:
            return key
        # Wait for another thread's fetch only while there are no keys at all.
        fetched = self.fetch(wait=0 if self.by_id else FETCH_TIMEOUT)
        key = self.cached(header)
        if key is None and not (fetched and self.by_id):
            raise ServiceUnavailable(
                "The keys of the token's identity provider are not available. Try again shortly."
            )
        if key is None:
            raise InvalidToken
        return key

    def cached(self, header: dict[str, Any]) -> Any:
        kid = header.get("kid")
        if kid is None and len(self.by_id) == 1:
            [found] = self.by_id.values()
        else:
            found = self.by_id.get(kid, {}) if isinstance(kid, str) else {}
        if found and found["alg"] in (None, header.get("alg")):
            return found["key"]
        return None

    def fetch(self, *, wait: float) -> bool:
        """Fetch the keys, unless that was tried just now. False if another thread is still fetching."""
        if not self.lock.acquire(timeout=wait):
            return False
        try:
            if time.monotonic() - self.attempted_at >= MIN_FETCH_INTERVAL:
                self.attempted_at = time.monotonic()
                self.by_id = fetch_keys(self.url)
                self.fetched_at = time.monotonic()
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            logger.warning("Could not fetch the keys at %s: %s", self.url, type(error).__name__)
        finally:
            self.lock.release()
        return True


@cache
def _cached_keys(url: str) -> Keys:
    return Keys(url)


def fetch_keys(url: str) -> dict[str | None, dict[str, Any]]:
    """The usable keys of a JWKS by key id; ValueError if there is none."""
    content = download(url)
    if len(content) > MAX_BYTES:
        raise ValueError("too large")
    document = json.loads(content)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a key set")
    keys = {}
    for entry in entries:
        if isinstance(entry, dict) and entry.get("use", "sig") == "sig":
            try:
                keys[entry.get("kid")] = {"key": jwt.PyJWK(entry).key, "alg": entry.get("alg")}
            except (jwt.PyJWTError, ValueError, TypeError):
                logger.warning("Ignored a key of an unsupported type at %s", url)
    if not keys:
        raise ValueError("no usable key")
    return keys


def download(url: str) -> bytes:
    """The content, up to MAX_BYTES + 1. FETCH_TIMEOUT limits all of it, from the lookup of the host on."""
    content: Future[bytes] = Future()

    def run() -> None:
        try:
            content.set_result(_get(url))
        except Exception as error:
            content.set_exception(error)

    # A thread, because nothing else limits the lookup of a host.
    threading.Thread(target=run, daemon=True).start()
    return content.result(timeout=FETCH_TIMEOUT)


def _get(url: str) -> bytes:
    parts = urlsplit(url)
    connection_class = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    port = parts.port or connection_class.default_port
    connection = connection_class(str(parts.hostname), port, timeout=FETCH_TIMEOUT)
    connection.connect()
    # The timeout of a socket begins again with each byte. This one ends the thread.
    deadline = threading.Timer(FETCH_TIMEOUT, _shut_down, [connection.sock])
    deadline.daemon = True
    deadline.start()
    try:
        target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        connection.request("GET", target, headers={"Accept": "application/json", "User-Agent": "todo-api"})
        with connection.getresponse() as response:
            # Redirects are not followed: keys come only from the URL in TRUSTED_ISSUERS.
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            return response.read(MAX_BYTES + 1)
    finally:
        deadline.cancel()
        connection.close()


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # It has just been closed.
        sock.shutdown(socket.SHUT_RDWR)
