"""The documentation pages in a real browser, with the styles of their viewers only."""

import pytest

from tests.support.browser import chromium
from tests.support.run_app import MEMORY
from tests.support.servers.gunicorn import Gunicorn

pytestmark = pytest.mark.own_servers


def test_the_styles_of_other_pages_do_not_apply_to_the_documentation():
    with Gunicorn(DATABASE_URL=MEMORY) as server, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{server.url}/docs")
        badge = page.locator(".info .version").first
        badge.wait_for()
        width = page.locator(".opblock-tag-section").first.evaluate("element => element.offsetWidth")

        assert width > 1000
        assert badge.evaluate("element => getComputedStyle(element).backgroundColor") != "rgb(255, 255, 255)"
