"""System checks of settings that do not prevent a start."""

import difflib
from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, register

from . import env

READ_BY_OTHERS = ("DJANGO_SUPERUSER_", "OTEL_", "SENTRY_")
"""The beginnings of variables that createsuperuser and the packages for monitoring read themselves."""


@register()
def check_for_unused_variables(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    unused = sorted(
        name for name in env.NAMES_IN_FILE - env.NAMES_READ if not name.startswith(READ_BY_OTHERS)
    )
    return [
        checks.Warning(f".env sets {name}, which nothing reads.", hint=_hint(name), id="todo_project.W001")
        for name in unused
    ]


def _hint(name: str) -> str:
    similar = difflib.get_close_matches(name, env.NAMES_READ, n=1)
    return f"Did you mean {similar[0]}?" if similar else "Remove it; .env.example lists all variables."
