"""README.md, .env.example and docs/operations.md agree with the code."""

import ast
import re

import pytest
from django.conf import settings
from django.core.management import get_commands
from django.urls import get_resolver

from tests.support.routes import patterns
from tests.support.sources import PACKAGES, sources
from todo_project.api import errors
from todo_project.config import env

README = (settings.BASE_DIR / "README.md").read_text()
EXAMPLE = (settings.BASE_DIR / ".env.example").read_text()
PAGES = sorted([*settings.BASE_DIR.glob("*.md"), *settings.BASE_DIR.glob("docs/**/*.md")])
GUIDE = (settings.BASE_DIR / "docs" / "operations.md").read_text()


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_readme_lists_exactly_the_environment_variables_that_are_read():
    listed = re.findall(r"^\| `([A-Z_]+)` \|", section("Environment variables"), re.MULTILINE)

    assert sorted(listed) == sorted(env.NAMES_READ)


def test_env_example_sets_exactly_the_variables_that_are_read():
    names = re.findall(r"^([A-Z_]+)=", EXAMPLE, re.MULTILINE)
    read_by_django = {"DJANGO_SUPERUSER_EMAIL", "DJANGO_SUPERUSER_PASSWORD"}

    assert len(names) == len(set(names))
    assert set(names) - read_by_django == env.NAMES_READ - {"ENV_FILE"}


def test_readme_lists_exactly_the_routes():
    listed = set(re.findall(r"^\| `(/[^`]*)` \|", section("Routes"), re.MULTILINE))
    per_user = "/api/v1/users/<user:user_id>/"
    owned = {route for route in listed if re.match("/api/v1/(tasks|projects|labels|bulk|trash|sync)", route)}

    assert f"`{per_user}`" in section("Routes")
    routes = {
        "/admin/" if route.startswith("admin/") else f"/{route}"
        for route, _ in patterns(get_resolver().url_patterns)
    }
    assert listed | {route.replace("/api/v1/", per_user) for route in owned} == routes


def test_readme_lists_exactly_the_management_commands():
    listed = re.findall(r"^\| `(\w+)` \|", section("Management commands"), re.MULTILINE)
    own = [name for name, app in get_commands().items() if str(app).partition(".")[0] in PACKAGES]

    assert sorted(listed) == sorted(own)


def test_readme_lists_every_package_and_top_level_module():
    listed = set(re.findall(r"`([a-z_/]+(?:\.py|/))`", section("Project layout")))
    django_directories = {"migrations", "management", "formats"}
    packages = [
        path.parent.relative_to(settings.BASE_DIR) for path in sources() if path.name == "__init__.py"
    ]
    top_level = {
        f"{package.as_posix()}/"
        for package in packages
        if package.parent.name in {"", "todo_project"} and package.name not in django_directories
    }
    modules = {path.name for path in (settings.BASE_DIR / "todo_project").glob("*.py")} - {"__init__.py"}

    assert top_level > {"accounts/", "tasks/", "todo_project/", "todo_project/api/"}
    assert modules | top_level <= listed


def test_readme_links_to_the_operations_guide():
    assert "](docs/operations.md)" in section("Deploying")


def anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "", title.lower().replace(" ", "-"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_their_sections(page):
    for path, fragment in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page.read_text()):
        target = page.parent / path if path else page

        assert target.exists(), path
        if fragment:
            assert fragment in map(anchor, re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE))


def test_the_table_of_contents_of_the_operations_guide_lists_its_sections():
    titles = re.findall(r"^## (.+)$", GUIDE, re.MULTILINE)
    listed = re.findall(r"^- \[(.+)\]\(#(.+)\)$", GUIDE, re.MULTILINE)

    assert listed == [(title, anchor(title)) for title in titles]


def logged_messages():
    """The formats of the messages that the project logs at WARNING and above."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called == "log" or re.fullmatch(r"logger\.(warning|error|exception|critical)", called):
                assert isinstance(node.args[0], ast.Constant), f"{path.name}, line {node.lineno}"
                yield str(node.args[0].value)


def message_pattern(message: str) -> re.Pattern[str]:
    return re.compile(".+".join(map(re.escape, message.split("%s"))))


# The first table of messages; the second one lists those of Django and gunicorn.
DOCUMENTED_MESSAGES = re.findall(
    r"^\| `([^`]+)` \|", re.findall(r"^\| message .*\n(?:\|.*\n)+", GUIDE, re.M)[0], re.M
)


def test_the_operations_guide_lists_exactly_the_messages_that_are_logged():
    patterns = [message_pattern(message) for message in logged_messages()]

    undocumented = [each.pattern for each in patterns if not any(map(each.fullmatch, DOCUMENTED_MESSAGES))]
    never_logged = [
        message for message in DOCUMENTED_MESSAGES if not any(each.fullmatch(message) for each in patterns)
    ]
    assert (undocumented, never_logged) == ([], [])


def test_the_operations_guide_lists_each_error_with_a_5xx_status():
    codes = {
        error.default_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.ApiError) and error.status_code >= 500
    }

    assert codes == {
        message.partition(":")[0] for message in DOCUMENTED_MESSAGES if re.match("[A-Z_]+:", message)
    }


def test_the_guide_to_errors_lists_exactly_the_statuses_and_codes():
    page = (settings.BASE_DIR / "docs" / "errors.md").read_text()
    rows = re.findall(r"^\| ([0-9, ]+) \| `([A-Z_]+)` \|", page, re.MULTILINE)
    listed = [(int(status), code) for statuses, code in rows for status in statuses.split(", ")]

    assert len(listed) == len({*listed})
    assert {*listed} == {(error.status_code, error.default_code) for error in errors.all_errors()}


def test_every_file_that_the_security_page_names_exists():
    page = (settings.BASE_DIR / "docs" / "security.md").read_text()
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", page))

    assert len(named) > 30
    assert [path for path in sorted(named) if not (settings.BASE_DIR / path).exists()] == []
