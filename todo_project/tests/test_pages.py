"""HTML pages load nothing from other hosts, and their Content-Security-Policy enforces it."""

import re

import pytest
from django.conf import settings

PAGES = ["/", "/docs", "/redoc", "/admin/login/"]


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

    assert inline == {"/": False, "/docs": True, "/redoc": True, "/admin/login/": False}


def test_all_links_of_the_landing_page_work(client, db):
    page = client.get("/").content.decode()

    links = re.findall(r'<li><a href="([^"]+)"', page)
    assert {*links} == {"/docs", "/redoc", "/api/v1/schema", "/admin/", "/healthz", "/readyz"}
    for link in links:
        assert client.get(link).status_code in {200, 302}


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/"])
def test_the_root_of_the_api_says_what_it_is(client, path):
    root = client.get(path).json()

    assert (root["name"], root["version"]) == ("Todo API", settings.VERSION)
    for link in root["links"].values():
        assert client.get(link.removeprefix("http://testserver")).status_code == 200
