"""What a start may go on with but somebody should know."""

import difflib
from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, register

from . import env

# Read by Django's own createsuperuser.
READ_BY_OTHERS = ("DJANGO_SUPERUSER_",)


@register()
def nothing_in_the_env_file_is_ignored(
    app_configs: Sequence[Any] | None, **kwargs: Any
) -> list[CheckMessage]:
    ignored = sorted(name for name in env.IN_FILE - env.READ if not name.startswith(READ_BY_OTHERS))
    return [
        checks.Warning(f".env sets {name}, which nothing reads.", hint=_nearest(name), id="todo_project.W001")
        for name in ignored
    ]


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, env.READ, n=1)
    return f"Did you mean {near[0]}?" if near else "Remove it, or see .env.example for the names."
