"""The version stands in one place, and every part of the product shows it."""

import re

import pytest
from django.conf import settings

from tests.support.raw_http import lines
from tests.support.run_app import MEMORY
from tests.support.servers.gunicorn import Gunicorn
from todo_project import __version__


def read(name: str) -> str:
    return (settings.BASE_DIR / name).read_text()


def test_the_version_has_three_numbers():
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_the_package_has_the_version_of_the_code():
    assert 'version = { attr = "todo_project.__version__" }' in read("pyproject.toml")


def test_the_root_of_the_api_and_its_description_show_the_version(client):
    assert client.get("/api/v1").json()["version"] == __version__
    assert client.get("/api/v1/schema").json()["info"]["version"] == __version__
    assert f"\n  version: {__version__}\n" in read("docs/openapi.yaml")


def test_the_changelog_begins_with_this_version():
    newest = re.findall(r"^## (.+)$", read("CHANGELOG.md"), re.MULTILINE)[0]

    assert re.fullmatch(rf"{re.escape(__version__)} \((not released yet|\d{{4}}-\d\d-\d\d)\)", newest)


@pytest.mark.own_servers
def test_the_server_logs_its_version_at_the_start():
    with Gunicorn(DATABASE_URL=MEMORY) as server:
        messages = [line["message"] for line in lines(server.log)]

    assert f"Todo API {__version__}, WEB_CONCURRENCY=1, WEB_THREADS=4" in messages
