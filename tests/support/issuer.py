"""A real issuer of tokens: a local HTTP server that publishes its keys, and simulates failures."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from .certificates import CERTIFICATE, KEY
from .processes import TIMEOUT

AUDIENCE = "todo"
SECRET = "a secret that the backend and this server share, of 32 bytes and more"


@cache
def private_key(algorithm: str, kid: str) -> Any:
    """One key per name; made once, because RSA takes its time."""
    make: dict[str, Callable[[], Any]] = {
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    }
    return make[algorithm]()


def public_jwk(algorithm: str, kid: str, **changes: Any) -> dict[str, Any]:
    kind: Any = {"EdDSA": OKPAlgorithm, "ES256": ECAlgorithm, "RS256": RSAAlgorithm}[algorithm]
    jwk = kind.to_jwk(private_key(algorithm, kid).public_key(), as_dict=True)
    return {**jwk, "kid": kid, "alg": algorithm, "use": "sig", **changes}


class Issuer:
    """Serves `answer` at `jwks_url`; `fetches` counts how often it was asked. A certificate turns TLS on."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.certificate = certificate
        self.fetches = 0
        self.status, self.content, self.headers = 200, b"", {"Content-Type": "application/json"}
        self.dripping = ""  # the part that takes five seconds, byte by byte: "headers" or "body"
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.is_closed, self.was_hung_up = threading.Event(), threading.Event()
        self.port = 0
        self.open()
        self.publish(public_jwk("EdDSA", "k1"))

    @property
    def name(self) -> str:
        return f"https://localhost:{self.port}" if self.certificate else f"http://127.0.0.1:{self.port}"

    @property
    def registered(self) -> dict[str, Any]:
        return {
            "issuer": self.name,
            "audience": AUDIENCE,
            "algorithms": ["EdDSA", "ES256", "RS256", "PS256"],
            "jwks_url": f"{self.name}/jwks",
        }

    def publish(self, *keys: dict[str, Any]) -> None:
        self.status, self.content = 200, json.dumps({"keys": keys}).encode()

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.status, self.content, self.headers = status, content, headers

    def open(self) -> None:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                issuer.may_answer.wait(timeout=TIMEOUT)
                try:
                    self.answer()
                except OSError:
                    issuer.was_hung_up.set()

            def answer(self) -> None:
                self.send_response(issuer.status)
                for name, value in issuer.headers.items():
                    self.send_header(name, value)
                if issuer.dripping == "headers":
                    self.flush_headers()
                    self.drip(b"X-Filler: " + b"x" * 90)
                    self.wfile.write(b"\r\n")
                self.end_headers()
                if issuer.dripping == "body":
                    self.drip(b" " * 100)
                self.wfile.write(issuer.content)

            def drip(self, content: bytes) -> None:
                for byte in content:
                    issuer.is_closed.wait(0.05)
                    self.wfile.write(bytes([byte]))

            def log_message(self, *args: Any) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate / CERTIFICATE, self.certificate / KEY)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def close(self) -> None:
        self.may_answer.set()
        self.is_closed.set()
        self.server.shutdown()
        self.server.server_close()

    def token(self, algorithm: str = "EdDSA", kid: str = "k1", **changes: Any) -> str:
        key = private_key(algorithm, kid)
        return jwt.encode(claims(self.name, **changes), key, algorithm=algorithm, headers={"kid": kid})


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """The claims of a valid token; None removes one."""
    now = int(time.time())
    values = {"iss": issuer, "aud": AUDIENCE, "sub": "person-1", "iat": now, "exp": now + 300, **changes}
    return {name: value for name, value in values.items() if value is not None}
