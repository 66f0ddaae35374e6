"""Runs the doctor on a deployment that a test describes."""

import json
import subprocess
import sys
from urllib.parse import urlsplit

import psycopg

from .run_app import run_program

KEY = "Zp3-vT9qLxW0_rKd7uYhBn52sJcEaGf8MiQoX1tRlUwVzNkP6gSyHbDjC4_eOmA"
OTHER_KEY = "q7WmN1-xKc83RtVbYpLz0_HsFgJdUe5AoTiXvQ2wBn9rCkMhZyEuGlPj6D4aSfO"
PASSWORD = "hunter22-pg"
MAIL_PASSWORD = "hunter22-mail"
SECRETS = (KEY, OTHER_KEY, PASSWORD, MAIL_PASSWORD, "hunter22")

PRODUCTION = {
    "SECRET_KEY": KEY,
    "ALLOWED_HOSTS": "api.example.com",
    "TRUSTED_PROXY_COUNT": "1",
    "HTTPS_ONLY": None,
    "DEBUG": None,
    "WEB_CONCURRENCY": None,
}
UNREACHABLE = f"postgres://todo:{PASSWORD}@127.0.0.1:1/todo"


def run(*options: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """It never prints a traceback or a secret, whatever it finds."""
    ended = run_program([sys.executable, "manage.py", "doctor", *options], **{**PRODUCTION, **changes})
    output = ended.stdout + ended.stderr
    assert "Traceback" not in output
    assert [secret for secret in SECRETS if secret in output] == []
    return ended


class Report:
    """The findings, read from the JSON."""

    def __init__(self, *options: str, **changes: str | None) -> None:
        ended = run("--json", *options, **changes)
        assert ended.stdout, ended.stderr
        self.code = ended.returncode
        self.findings = json.loads(ended.stdout)["findings"]

    def of(self, check: str) -> list[str]:
        """Each finding of one check, as text."""
        return [
            f"{each['level']}: {each['message']} {each['hint']}".strip()
            for each in self.findings
            if each["check"] == check
        ]

    @property
    def complaints(self) -> dict[str, str]:
        return {each["check"]: each["message"] for each in self.findings if each["level"] != "ok"}


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def with_user(url: str, user: str, *, database: str | None = None) -> str:
    parts = urlsplit(url)
    path = f"/{database}" if database else parts.path
    return parts._replace(netloc=f"{user}@{parts.hostname}:{parts.port}", path=path).geturl()
