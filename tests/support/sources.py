"""The Python files of the product."""

from pathlib import Path

from django.conf import settings

ROOMS = ("todo_project", "accounts", "tasks")


def sources(*, tests: bool = False) -> list[Path]:
    files = [path for room in ROOMS for path in (settings.BASE_DIR / room).rglob("*.py")]
    found = [path for path in files if tests or "tests" not in path.relative_to(settings.BASE_DIR).parts]
    assert found
    return found
