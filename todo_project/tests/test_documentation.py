"""What README, .env.example and the operators' runbook say is so."""

import ast
import re

import pytest
from django.conf import settings
from django.urls import URLPattern, get_resolver

from tests.support.sources import sources
from todo_project.api import errors
from todo_project.config import env

README = (settings.BASE_DIR / "README.md").read_text()
EXAMPLE = (settings.BASE_DIR / ".env.example").read_text()
BOOK = (settings.BASE_DIR / "docs" / "operations.md").read_text()


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


def test_readme_leads_operators_to_their_runbook():
    assert "](docs/operations.md)" in section("Deploying on Neon")


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)[)#]", BOOK))))
def test_the_runbook_links_to_what_is_there(link):
    assert (settings.BASE_DIR / "docs" / link).exists()


def test_the_runbooks_contents_lead_to_its_sections():
    def anchor(title: str) -> str:
        return re.sub(r"[^a-z0-9-]", "", title.lower().replace(" ", "-"))

    titles = re.findall(r"^## (.+)$", BOOK, re.MULTILINE)
    listed = re.findall(r"^- \[(.+)\]\(#(.+)\)$", BOOK, re.MULTILINE)

    assert listed == [(title, anchor(title)) for title in titles]


def messages():
    """What our own code logs at WARNING and above, as it is written there."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called == "log" or re.fullmatch(r"logger\.(warning|error|exception|critical)", called):
                assert isinstance(node.args[0], ast.Constant), f"{path.name}, line {node.lineno}"
                yield str(node.args[0].value)


def as_told(message: str) -> re.Pattern[str]:
    return re.compile(".+".join(map(re.escape, message.split("%s"))))


TOLD = re.findall(
    r"^\| `([^`]+)` \|", BOOK.split("## Log lines that need action")[1].split("And from")[0], re.M
)


def test_the_runbook_tells_what_to_do_for_every_message_that_is_logged():
    untold = [message for message in messages() if not any(map(as_told(message).fullmatch, TOLD))]

    assert untold == []


def test_the_runbook_tells_of_no_message_that_is_not_logged():
    patterns = [as_told(message) for message in messages()]

    assert [told for told in TOLD if not any(pattern.fullmatch(told) for pattern in patterns)] == []


def test_the_runbook_tells_of_every_error_that_is_the_servers_fault():
    codes = {
        error.default_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.ApiError) and error.status_code >= 500
    }

    assert codes == {told.partition(":")[0] for told in TOLD if re.match("[A-Z_]+:", told)}
