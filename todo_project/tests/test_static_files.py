"""Static files are served with or without collectstatic; with it, compressed and cached for a year."""

import gzip
import re
import sys
import urllib.request

import pytest

from tests.support.run_app import MEMORY
from tests.support.servers.gunicorn import CopiedGunicorn

pytestmark = pytest.mark.own_servers


class Collected(CopiedGunicorn):
    def prepare(self):
        super().prepare()
        self.run(sys.executable, "manage.py", "collectstatic", "--noinput")


def get(server, path):
    request = urllib.request.Request(f"{server.url}{path}", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.headers, response.read()


def assets(server):
    _, page = get(server, "/docs")
    return re.findall('(?:src|href)="(/static/[^"]+)"', page.decode())


def test_collected_files_are_compressed_and_cached_for_a_year_by_the_hash_of_their_content():
    with Collected(DATABASE_URL=MEMORY) as server:
        urls = assets(server)
        answers = [get(server, url) for url in urls]

    assert len(urls) == 4
    for url, (headers, content) in zip(urls, answers, strict=True):
        assert re.search(r"\.[0-9a-f]{12}\.", url)
        assert headers["Cache-Control"] == "max-age=315360000, public, immutable"
        assert headers["Content-Encoding"] == "gzip"
        assert len(content) < len(gzip.decompress(content)) / 1.5


def test_without_collectstatic_files_are_served_from_the_packages():
    with CopiedGunicorn(DATABASE_URL=MEMORY) as server:
        urls = assets(server)
        answers = [get(server, url) for url in urls]
        log = server.log

    assert "/static/todo_project/pages.css" in urls
    for headers, _ in answers:
        assert headers["Cache-Control"] == "max-age=60, public"
    assert "No directory" not in log


def test_files_that_an_older_version_collected_are_not_served():
    class Upgraded(Collected):
        def prepare(self):
            super().prepare()
            version = self.folder / "todo_project" / "__init__.py"
            version.write_text('__version__ = "99.0"')

    with Upgraded(DATABASE_URL=MEMORY) as server:
        assert "/static/todo_project/pages.css" in assets(server)
