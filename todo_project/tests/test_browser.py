"""The browser that tests use tells what a page does wrong."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.browser import MISSING, Browser, BrowserError, find_chromium
from tests.support.programs import require

pytestmark = pytest.mark.own_servers

PAGES = {
    "/good": "<p>good</p><a href='/next'>Go on</a>",
    "/next": "<p>the next</p>",
    "/form": """<form>
        <label>Name: <input name="name" value="Alice"></label>
        <label>Action: <select name="do"><option value="">-<option value="drop">Delete it</select></label>
        <input type="checkbox" name="milk" aria-label="Select milk"> <input type="submit" value="Go">
        </form>""",
    "/style": "<p style='color: red'>styled</p>",
    "/script": "<script>document.title = 'run'</script>",
    "/error": "<script src='/error.js'></script>",
    "/error.js": "missing.thing()",
    "/console": "<script src='/console.js'></script>",
    "/console.js": "console.error('oh no')",
    "/missing": "<img src='/no-such-picture'>",
    "/elsewhere": "<script src='http://127.0.0.2:9/tracker.js'></script>",
    "/covered": "<a href='/next'>Go on</a><link rel=stylesheet href='/cover.css'><div></div>",
    "/cover.css": "div { position: fixed; inset: 0 }",
    "/wide": "<link rel=stylesheet href='/wide.css'><p>wide</p>",
    "/wide.css": "p { width: 2000px }",
}
POLICY = "default-src 'self' http://127.0.0.2:9; img-src 'self' data:"
HEAD = "<meta name=viewport content='width=device-width'><link rel=icon href='data:,'>"
KINDS = {"js": "text/javascript", "css": "text/css"}


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        kind = KINDS.get(path.partition(".")[2], "text/html")
        head = HEAD if kind == "text/html" else ""
        self.send_response(200 if path in PAGES else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write((head + PAGES.get(path, "")).encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    require(find_chromium(), MISSING)
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def window(site: str) -> Iterator[Browser]:
    with Browser(site) as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Browser:
    window.complaints.clear()
    window.look()
    return window


def test_a_link_leads_on(browser):
    browser.open("/good")
    browser.follow("Go on")

    assert (browser.path, browser.text) == ("/next", "the next")
    assert browser.complaints == []


def test_a_form_is_filled_in_and_sent(browser):
    browser.open("/form")
    browser.fill("Name", "Bob")
    browser.choose("Action", "Delete it")
    browser.tick("Select milk")
    browser.follow("Go")

    assert browser.path == "/form?name=Bob&do=drop&milk=on"


@pytest.mark.parametrize(
    "act",
    [
        lambda browser: browser.fill("Email", "x"),
        lambda browser: browser.choose("Action", "Keep it"),
        lambda browser: browser.tick("Select bread"),
        lambda browser: browser.press("Stop"),
    ],
    ids=["fill", "choose", "tick", "press"],
)
def test_what_is_not_there_is_an_error(browser, act):
    browser.open("/form")

    with pytest.raises(BrowserError, match="/form"):
        act(browser)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/style", "Content Security Policy"),
        ("/script", "Content Security Policy"),
        ("/error", "missing is not defined"),
        ("/console", "oh no"),
        ("/missing", "404"),
        ("/elsewhere", "It asked for http://127.0.0.2:9/tracker.js."),
    ],
)
def test_what_a_page_does_wrong_is_told(browser, path, complaint):
    browser.open(path)

    assert complaint in " ".join(browser.complaints)


def test_what_is_covered_cannot_be_pressed(browser):
    browser.open("/covered")

    with pytest.raises(BrowserError, match="covers it"):
        browser.press("Go on")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_can_be_too_wide(browser, width):
    browser.look(width=width)
    browser.open("/wide")
    assert browser.is_too_wide
    browser.open("/good")

    assert not browser.is_too_wide


def test_the_screen_is_as_asked(browser):
    browser.look(width=390, dark=True)
    browser.open("/good")
    seen = browser.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]")
    browser.look()

    assert seen[1] is True
    assert browser.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]") == [
        1280,
        False,
    ]


def test_a_browser_that_ends_is_an_error_and_no_endless_wait(site):
    browser = Browser(site)
    browser._process.kill()
    with pytest.raises((BrowserError, BrokenPipeError)):
        browser.open("/good")

    browser.close()
