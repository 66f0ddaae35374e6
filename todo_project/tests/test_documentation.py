"""What README and .env.example say is so."""

import re

import pytest
from django.conf import settings
from django.urls import URLPattern, get_resolver

from todo_project import env

README = (settings.BASE_DIR / "README.md").read_text()
EXAMPLE = (settings.BASE_DIR / ".env.example").read_text()


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_readme_tells_every_variable_that_is_read_and_no_other():
    told = re.findall(r"^\| `([A-Z_]+)` \|", section("The environment"), re.MULTILINE)

    assert sorted(told) == sorted(env.READ)


def test_the_example_holds_every_variable_that_is_read_and_no_other():
    named = re.findall(r"^([A-Z_]+)=", EXAMPLE, re.MULTILINE)
    of_django = {"DJANGO_SUPERUSER_EMAIL", "DJANGO_SUPERUSER_PASSWORD"}

    assert len(named) == len(set(named))
    assert set(named) - of_django == env.READ - {"ENV_FILE"}


def routes(patterns, prefix="/"):
    for entry in patterns:
        if isinstance(entry, URLPattern) or getattr(entry, "app_name", None) == "admin":
            yield prefix + str(entry.pattern)
        else:
            yield from routes(entry.url_patterns, prefix + str(entry.pattern))


def test_readme_tells_every_route_and_no_other():
    told = re.findall(r"^\| `(/[^`]*)` \|", section("The routes"), re.MULTILINE)

    assert sorted(told) == sorted(routes(get_resolver().url_patterns))


def test_readme_tells_where_each_module_of_the_frame_belongs():
    told = set(re.findall(r"`([a-z_]+(?:\.py|/))`", section("The rooms")))
    frame = settings.BASE_DIR / "todo_project"
    modules = {path.name for path in frame.glob("*.py")} - {"__init__.py"}
    of_django = {"settings.py", "urls.py", "models.py", "apps.py", "checks.py"}

    assert modules - of_django <= told


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_readme_links_to_what_is_there(link):
    assert (settings.BASE_DIR / link).exists()
