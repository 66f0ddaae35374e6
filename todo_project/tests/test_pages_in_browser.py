"""The pages in a real browser, in light and dark mode and in two widths."""

import os
from pathlib import Path

import pytest

from tests.support.browser import chromium
from tests.support.run_app import MEMORY
from tests.support.servers.gunicorn import Gunicorn

pytestmark = pytest.mark.own_servers

UNREADABLE = """
() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = parse(color).map((v) => (v /= 255) <= 0.04 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if ((parse(color)[3] ?? 1) > 0.5) return color;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? "rgb(18, 18, 18)" : "rgb(255, 255, 255)";
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = new Set();
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, text = texts.currentNode.textContent.trim();
    if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const [dark, light] = [getComputedStyle(element).color, background(element)].map(luminance).sort();
    if ((light + 0.05) / (dark + 0.05) < 1.5) found.add(`${text.slice(0, 40)} (${element.className})`);
  }
  return [...found];
}
"""
"""The texts with a contrast of less than 1.5. The lightest badge of Swagger UI has 1.6."""


@pytest.fixture(scope="module")
def server():
    with Gunicorn(DATABASE_URL=MEMORY) as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "path", "loaded"),
    [
        ("landing", "", "h1"),
        ("guide", "docs/tasks.md", "h1"),
        ("docs", "docs#/tasks/createTask", ".responses-table .show-response"),
        ("redoc", "redoc", "[id^='operation/'] h2"),
    ],
)
def test_a_page_is_readable_and_not_too_tall(name, path, loaded, scheme, width, server, browser):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{server.url}/{path}")
    page.locator(loaded).first.wait_for()
    if folder := os.environ.get("TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}-{scheme}-{width}.png")

    assert page.evaluate(UNREADABLE) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if name != "guide":  # People read all of it.
        assert page.evaluate("document.documentElement.scrollHeight") < 10_000
    page.close()


def test_an_open_operation_is_less_than_10_000_pixels_tall_and_its_errors_can_be_shown(server, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{server.url}/docs#/tasks/createTask")
    error = page.get_by_role("button", name="Bad Request")
    error.wait_for()

    assert page.evaluate("document.documentElement.scrollHeight") < 10_000
    error.click()
    page.locator("tr.response[data-code='400'] pre").wait_for()
    page.close()


def test_the_reference_opens_the_operations_that_are_chosen(server, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{server.url}/redoc")
    responses = {
        name: page.locator(f"[id='operation/{name}']").get_by_role("heading", name="Responses", exact=True)
        for name in ("createTask", "getTask", "updateTask")
    }

    heading = page.locator("[id='operation/createTask'] h2")
    heading.click()
    responses["createTask"].wait_for()
    heading.click()
    responses["createTask"].wait_for(state="hidden")
    page.goto(f"{server.url}/redoc#tag/tasks/operation/getTask")
    responses["getTask"].wait_for()
    assert not responses["updateTask"].is_visible()
    page.keyboard.press("Control+f")
    responses["updateTask"].wait_for()
    page.close()


def test_the_styles_of_other_pages_do_not_apply_to_the_documentation(server, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{server.url}/docs")
    badge = page.locator(".info .version").first
    badge.wait_for()
    width = page.locator(".opblock-tag-section").first.evaluate("element => element.offsetWidth")

    assert width > 1000
    assert badge.evaluate("element => getComputedStyle(element).backgroundColor") != "rgb(255, 255, 255)"
    page.close()
