"""Debian's chromium, driven by playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from .programs import require


@contextmanager
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    require(program, "no browser: install Debian's chromium")
    with sync_playwright() as playwright:
        # Chromium refuses to run in its sandbox as root.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def clean_page(browser: Browser, site: str) -> Iterator[Page]:
    """A page of the site. Fails at the end if a script or request failed, or went to another host."""
    problems: list[str] = []
    with browser.new_context(base_url=site) as context:
        page = context.new_page()
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((f"{site}/", "data:")) else problems.append(request.url)
            ),
        )
        yield page
    assert problems == [], problems
