"""HTML pages load nothing from other hosts, and their Content-Security-Policy enforces it."""

import re
from urllib.parse import urljoin

import pytest
from django.conf import settings

from todo_project.pages import GUIDES

pytestmark = pytest.mark.any_database

PAGES = ["/", "/docs", "/redoc", "/docs/tasks.md", "/admin/login/"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_served(client, db, path):
    response = client.get(path)

    assert response.status_code == 200
    assert response["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", PAGES)
def test_all_assets_of_a_page_are_served_from_the_same_host(client, db, path):
    page = client.get(path).content.decode()
    urls = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', page)

    assert urls
    for url in (url for url in urls if url != "data:,"):
        assert url.startswith("/static/")
        asset = client.get(url)
        assert asset.status_code == 200
        asset.close()


@pytest.mark.parametrize("path", PAGES)
def test_the_content_security_policy_allows_no_other_host(client, db, path):
    policy = client.get(path)["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_inline_script(client, db, path):
    page = client.get(path).content.decode()

    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page)
    assert not re.search(r"\son\w+=", page)


def test_only_the_documentation_pages_allow_inline_styles(client, db):
    inline = {path: "'unsafe-inline'" in client.get(path)["Content-Security-Policy"] for path in PAGES}

    assert inline == {
        "/": False, "/docs": True, "/redoc": True, "/docs/tasks.md": False, "/admin/login/": False,
    }  # fmt: skip


def test_all_links_of_the_landing_page_work(client, db):
    page = client.get("/").content.decode()

    links = re.findall(r'<li><a href="([^"]+)"', page)
    pages = {"/docs", "/redoc", "/api/v1/schema", "/admin/", "/healthz", "/readyz"}
    assert {*links} == pages | {f"/docs/{name}.md" for name in GUIDES}
    for link in links:
        assert client.get(link).status_code in {200, 302}


@pytest.mark.parametrize("name", GUIDES)
def test_all_links_of_a_guide_work_and_lead_to_headings(client, db, name):
    url = f"/docs/{name}.md"
    page = client.get(url).content.decode()

    assert "<h1 id=" in page
    for link in re.findall('href="([^"#]*#?[^"]*)"', page):
        target, _, anchor = urljoin(url, link).partition("#")
        if target.startswith(("/static", "data:", "http")):
            continue
        response = client.get(target)
        assert response.status_code == 200, link
        if anchor:
            assert f'id="{anchor}"' in response.content.decode(), link
        response.close()


def test_the_description_links_to_every_guide(client, db):
    description = client.get("/api/v1/schema").json()["info"]["description"]

    assert re.findall(r"\]\((/docs/[^)]+)\)", description) == [f"/docs/{name}.md" for name in GUIDES]


@pytest.mark.parametrize("path", ["/docs/operations.md", "/docs/unknown.md", "/docs/examples/tasks.json"])
def test_other_files_are_not_served(client, db, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/"])
def test_the_root_of_the_api_says_what_it_is(client, path):
    root = client.get(path).json()

    assert (root["name"], root["version"]) == ("Todo API", settings.VERSION)
    for link in root["links"].values():
        assert client.get(link.removeprefix("http://testserver")).status_code == 200


@pytest.mark.parametrize("debug", [True, False])
def test_only_the_error_pages_for_developers_have_inline_styles(superuser, settings, debug):
    settings.DEBUG = debug
    response = superuser.get("/admin/nope/")

    assert response.status_code == 404
    assert ("'unsafe-inline'" in response["Content-Security-Policy"]) == debug
    assert ("<style" in response.content.decode()) == debug
