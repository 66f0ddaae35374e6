"""The only reader of the environment. Each variable is read strictly; a wrong one stops the start by name.

Empty means "not set". Values are taken as they stand: nothing in them is expanded.
"""

import io
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from environ import Env

BASE_DIR = Path(__file__).resolve().parents[2]

READ: set[str] = {"ENV_FILE"}
"""Every name that was asked for, so that a test can compare the code with its documentation."""

IN_FILE: set[str] = set()
"""Every name that the .env file sets, so that a system check can point at one that nothing reads."""

_ASSIGNMENT = re.compile(r"(?:export )?([A-Za-z_][A-Za-z_0-9]*)=")
_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def read_file() -> None:
    """Add what .env says to the environment; the environment itself wins."""
    named = Env.ENVIRON.get("ENV_FILE", "")
    path = Path(named) if named else BASE_DIR / ".env"
    if not named and not path.exists():
        return
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"ENV_FILE: {path} cannot be read as UTF-8 text.") from error
    # django-environ only logs a line it cannot read, and ignores it.
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        assignment = _ASSIGNMENT.match(line)
        if assignment is None:
            raise ImproperlyConfigured(
                f"{path.name}, line {number}: write NAME=value, without spaces around '='."
            )
        IN_FILE.add(assignment[1])
    Env.read_env(io.StringIO(content))


def text(name: str, *, default: str | None = None, at_least: int = 0, hint: str = "") -> str:
    """A text; without a default the variable is required."""
    READ.add(name)
    # Env.str() would replace "$NAME" by another variable's value: a password may begin with "$".
    value = Env.ENVIRON.get(name, "").strip()
    if not value:
        if default is None:
            raise ImproperlyConfigured(f"{name} is not set. {hint}".strip())
        return default
    if len(value) < at_least:
        raise ImproperlyConfigured(f"{name} must have at least {at_least} characters. {hint}".strip())
    return value


def boolean(name: str, *, default: bool) -> bool:
    """Strictly true, false, 1 or 0: django-environ's own bool() reads a mistyped "ture" as False."""
    value = text(name, default=str(default)).lower()
    if value not in {"true", "false", "1", "0"}:
        raise ImproperlyConfigured(f"{name} must be true or false (or 1 or 0), not {value!r}.")
    return value in {"true", "1"}


def integer(name: str, *, default: int, low: int, high: int) -> int:
    """A whole number from low to high."""
    value = text(name, default=str(default))
    if not re.fullmatch(r"[0-9]{1,12}", value) or not low <= int(value) <= high:
        raise ImproperlyConfigured(f"{name} must be a whole number from {low} to {high}, not {value!r}.")
    return int(value)


def choice(name: str, choices: Iterable[str], *, default: str) -> str:
    """One of the words named."""
    value = text(name, default=default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def listing(name: str, *, default: Iterable[str] = ()) -> list[str]:
    """Words separated by commas."""
    return [word.strip() for word in text(name, default=",".join(default)).split(",") if word.strip()]


def minutes(name: str, *, default: int, high: int) -> timedelta:
    """A span of whole minutes."""
    return timedelta(minutes=integer(name, default=default, low=1, high=high))


def rate(name: str, *, default: str) -> tuple[int, int] | None:
    """A rate such as 600/minute, as (requests, seconds); None for "off"."""
    value = text(name, default=default)
    if value == "off":
        return None
    requests, _, period = value.partition("/")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", requests) or period not in _PERIODS:
        raise ImproperlyConfigured(
            f"{name} must be like 600/minute (second, minute, hour, day) or off, not {value!r}."
        )
    return int(requests), _PERIODS[period]
