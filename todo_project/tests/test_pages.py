"""The pages for people load nothing from another host, and the browser is told to insist on it."""

import re

import pytest

PAGES = ["/", "/docs", "/redoc", "/admin/login/"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_served(client, db, path):
    response = client.get(path)

    assert response.status_code == 200
    assert response["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_loads_is_served_here(client, db, path):
    page = client.get(path).content.decode()
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', page)

    assert loaded
    for url in (url for url in loaded if url != "data:,"):
        assert url.startswith("/static/")
        asset = client.get(url)
        assert asset.status_code == 200
        asset.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_what_it_may_load(client, db, path):
    policy = client.get(path)["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_script_of_its_own(client, db, path):
    page = client.get(path).content.decode()

    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page)
    assert not re.search(r"\son\w+=", page)


def test_styles_may_be_written_only_where_the_docs_do_it(client, db):
    inline = {path: "'unsafe-inline'" in client.get(path)["Content-Security-Policy"] for path in PAGES}

    assert inline == {"/": False, "/docs": True, "/redoc": True, "/admin/login/": False}


def test_the_landing_page_leads_to_what_there_is(client, db):
    page = client.get("/").content.decode()

    for link in re.findall(r'<li><a href="([^"]+)"', page):
        assert client.get(link).status_code in {200, 302}
    assert set(re.findall(r'<li><a href="([^"]+)"', page)) == {
        "/docs", "/redoc", "/api/v1/schema", "/admin/", "/healthz", "/readyz",
    }  # fmt: skip
