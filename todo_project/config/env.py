"""Reads the environment; no other module does. An invalid value raises an error that names the variable.

An empty variable counts as not set. Values are used as written; nothing in them is expanded.
"""

import io
import re
from collections.abc import Iterable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from environ import Env

BASE_DIR = Path(__file__).resolve().parents[2]

NAMES_READ: set[str] = {"ENV_FILE"}
"""Every variable that was read, so that a test can compare the code with the documentation."""

NAMES_IN_FILE: set[str] = set()
"""Every variable in the .env file, so that a system check can report one that nothing reads."""

_ASSIGNMENT = re.compile(r"(?:export )?([A-Za-z_][A-Za-z_0-9]*)=")
_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def read_file() -> None:
    """Add the variables in .env to the environment, which takes precedence."""
    env_file = Env.ENVIRON.get("ENV_FILE", "")
    path = Path(env_file) if env_file else BASE_DIR / ".env"
    if not env_file and not path.exists():
        return
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"ENV_FILE: {path} cannot be read as UTF-8 text.") from error
    # django-environ only logs an invalid line and skips it.
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        assignment = _ASSIGNMENT.match(line)
        if assignment is None:
            raise ImproperlyConfigured(
                f"{path.name}, line {number}: write NAME=value, without spaces around '='."
            )
        NAMES_IN_FILE.add(assignment[1])
    Env.read_env(io.StringIO(content))


def text(name: str, *, default: str | None = None, min_length: int = 0, hint: str = "") -> str:
    """A string; without a default the variable is required."""
    NAMES_READ.add(name)
    # Not Env.str(), which replaces "$NAME" by that variable's value: a password may begin with "$".
    value = Env.ENVIRON.get(name, "").strip()
    if not value:
        if default is None:
            raise ImproperlyConfigured(f"{name} is not set. {hint}".strip())
        return default
    if len(value) < min_length:
        raise ImproperlyConfigured(f"{name} must have at least {min_length} characters. {hint}".strip())
    return value


def boolean(name: str, *, default: bool) -> bool:
    """true, false, 1 or 0. django-environ's bool() reads a mistyped "ture" as False."""
    value = text(name, default=str(default)).lower()
    if value not in {"true", "false", "1", "0"}:
        raise ImproperlyConfigured(f"{name} must be true or false (or 1 or 0), not {value!r}.")
    return value in {"true", "1"}


def integer(name: str, *, default: int, low: int, high: int) -> int:
    value = text(name, default=str(default))
    if not re.fullmatch(r"[0-9]{1,12}", value) or not low <= int(value) <= high:
        raise ImproperlyConfigured(f"{name} must be a whole number from {low} to {high}, not {value!r}.")
    return int(value)


def choice(name: str, choices: Iterable[str], *, default: str) -> str:
    value = text(name, default=default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def listing(name: str, *, default: Iterable[str] = ()) -> list[str]:
    return [word.strip() for word in text(name, default=",".join(default)).split(",") if word.strip()]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(word) for word in listing(name)]
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} must list IP addresses and networks such as 10.0.0.0/8: {error}."
        ) from error


def minutes(name: str, *, default: int, high: int) -> timedelta:
    return timedelta(minutes=integer(name, default=default, low=1, high=high))


def rate(name: str, *, default: str) -> tuple[int, int] | None:
    """A rate such as 600/minute as (requests, seconds), or None for "off"."""
    value = text(name, default=default)
    if value == "off":
        return None
    requests, _, period = value.partition("/")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", requests) or period not in _PERIODS:
        raise ImproperlyConfigured(
            f"{name} must be off or a rate per second, minute, hour or day such as 600/minute, not {value!r}."
        )
    return int(requests), _PERIODS[period]
