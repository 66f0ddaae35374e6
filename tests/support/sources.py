"""The project's Python files."""

from pathlib import Path

from django.conf import settings

PACKAGES = ("todo_project", "accounts", "tasks")


def sources(*packages: str) -> list[Path]:
    """The files of these packages, else of the product, without its tests."""
    files = [path for package in packages or PACKAGES for path in (settings.BASE_DIR / package).rglob("*.py")]
    found = files if packages else [path for path in files if "tests" not in relative(path).parts]
    assert found
    return found


def relative(path: Path) -> Path:
    return path.relative_to(settings.BASE_DIR)
