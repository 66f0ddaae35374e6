"""A real browser in the hands of a test: Debian's chromium, told what to do as a person would be.

There is no driver: chromium takes DevTools' commands over a pipe, and when that ends, so does the browser.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from .servers.server import tail

MISSING = "No browser was found: install the Debian package chromium."

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    # It talks to nobody but the site under test.
    "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-pipe",
]  # fmt: skip

ANSWER_WITHIN = 30.0

# What a field is called: by its label's own words, by a picture in their place, or for screen readers only.
FIELD = """words => {
    const own = label => [...label.childNodes].map(node => node.nodeType === 3 ? node.data : '').join('');
    const called = label => own(label).trim().replace(/:$/, '') || label.querySelector('img')?.alt;
    return [...document.querySelectorAll('label')].find(label => called(label) === words)?.control
        ?? document.querySelector(`[aria-label="${words}"]`);
}"""
# All that can be pressed, by the words on it.
PRESSABLE = """words => [...document.querySelectorAll('a, button, summary, input[type=submit]')].find(
    one => (one.matches('input') ? one.value : one.textContent).trim() === words
        && one.getClientRects().length)"""
MIDDLE = """one => {
    one.scrollIntoView({block: 'center', behavior: 'instant'});
    const box = one.getClientRects()[0], x = box.x + box.width / 2, y = box.y + box.height / 2;
    const top = document.elementFromPoint(x, y);
    return one.contains(top) || top.contains(one) ? [x, y] : null;
}"""


class BrowserError(Exception):
    """The browser could not do as it was told."""


def find_chromium() -> str | None:
    return shutil.which("chromium")


class Browser:
    """One window on one site."""

    def __init__(self, site: str) -> None:
        self.site = site
        self._complaints: list[str] = []
        self._calls = 0
        self._loaded: list[str] = []
        self._session: str | None = None
        self._results: dict[int, dict[str, Any]] = {}
        self._unread = b""
        self._folder = tempfile.TemporaryDirectory(prefix="todo-chromium-", ignore_cleanup_errors=True)
        self._start()
        pages = self._call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in pages if target["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Audits"):
            self._call(f"{domain}.enable")
        self._call("Page.setLifecycleEventsEnabled", enabled=True)
        self.look()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The end of the pipe is the end of the browser; only one that hangs is ended otherwise."""
        os.close(self._commands)
        try:
            self._process.wait(ANSWER_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._answers)
        self._folder.cleanup()

    # ------------------------------------------------------------------------------ what a person does

    def open(self, path: str) -> None:
        page = self._call("Page.navigate", url=self.site + path)
        if "errorText" in page:
            raise BrowserError(f"{path} cannot be opened: {page['errorText']}")
        self._read_until(lambda: page["loaderId"] in self._loaded)

    def fill(self, label: str, text: str) -> None:
        """Write into the field of this label, over what was there."""
        if not self._on(FIELD, label, "field => (field.focus(), field.select?.(), true)"):
            raise BrowserError(f"There is no field {label!r} at {self.path}.")
        self._call("Input.insertText", text=text)

    def choose(self, label: str, option: str) -> None:
        """Of a list of choices; its pop-up belongs to the system, where a mouse could not be sent."""
        choose = f"""field => {{
            const option = [...field.options].find(option => option.text === {json.dumps(option)});
            if (!option) return false;
            field.value = option.value;
            return field.dispatchEvent(new Event('change', {{bubbles: true}}));
        }}"""
        if not self._on(FIELD, label, choose):
            raise BrowserError(f"There is no field {label!r} with a choice {option!r} at {self.path}.")

    def tick(self, label: str) -> None:
        """Click into the box of this label."""
        self._click(FIELD, label)

    def press(self, words: str) -> None:
        """Click on the link or button with these words, where nothing may cover it."""
        self._click(PRESSABLE, words)

    def _click(self, find: str, words: str) -> None:
        middle = self._on(find, words, MIDDLE)
        if middle is None:
            raise BrowserError(f"Nothing to press says {words!r} at {self.path}, or something covers it.")
        place = {"x": middle[0], "y": middle[1], "button": "left", "clickCount": 1}
        self._call("Input.dispatchMouseEvent", type="mousePressed", **place)
        self._call("Input.dispatchMouseEvent", type="mouseReleased", **place)

    def follow(self, words: str) -> None:
        """Press what leads to another page."""
        before = len(self._loaded)
        self.press(words)
        self._read_until(lambda: len(self._loaded) > before)

    def look(self, *, width: int = 1280, dark: bool = False) -> None:
        """From now on as on a screen of this width, with the system set to light or dark."""
        self._width = width
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    # ------------------------------------------------------------------------------ what a person sees

    @property
    def path(self) -> str:
        return str(self.evaluate("location.pathname + location.search"))

    @property
    def text(self) -> str:
        """All that can be read, with each run of white space as one space."""
        return " ".join(str(self.evaluate("document.body.innerText")).split())

    @property
    def complaints(self) -> list[str]:
        """What pages have done wrong: failed scripts and requests, broken policies, calls to other hosts."""
        self.evaluate("0")  # What was told before the answer to this is known by then.
        return self._complaints

    @property
    def is_too_wide(self) -> bool:
        """Whether one must scroll sideways."""
        # Not the window's own idea of its width: on a telephone it grows with the page.
        return bool(self.evaluate(f"document.documentElement.scrollWidth > {self._width}"))

    def picture(self, file: Path) -> None:
        """The whole page, below the window's edge too."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        shot = self._call(
            "Page.captureScreenshot", captureBeyondViewport=True, clip={**size, "x": 0, "y": 0, "scale": 1}
        )
        file.write_bytes(base64.b64decode(shot["data"]))

    def evaluate(self, expression: str) -> Any:
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def _on(self, find: str, words: str, then: str) -> Any:
        """What `then` says of the element that is found; None without one."""
        found = f"({find})({json.dumps(words)})"
        return self.evaluate(f"(found => found ? ({then})(found) : null)({found})")

    # -------------------------------------------------------------------------------------- the pipe

    def _start(self) -> None:
        program = find_chromium()
        if program is None:
            raise BrowserError(MISSING)
        theirs, self._commands = os.pipe()
        self._answers, answers = os.pipe()

        def take_pipes() -> None:
            """Chromium reads from 3 and writes to 4; moved away first, lest one be written over."""
            high = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs, answers)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._log = Path(self._folder.name) / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, *FLAGS, f"--user-data-dir={self._folder.name}/profile", "about:blank"],
                env={**os.environ, "HOME": self._folder.name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[3, 4],
                preexec_fn=take_pipes,
                start_new_session=True,
            )
        os.close(theirs)
        os.close(answers)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._calls += 1
        call = {"id": self._calls, "method": method, "params": params}
        if self._session:
            call["sessionId"] = self._session
        os.write(self._commands, json.dumps(call).encode() + b"\0")
        self._read_until(lambda: self._calls in self._results)
        answer = self._results.pop(self._calls)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _read_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + ANSWER_WITHIN
        while not done():
            if b"\0" not in self._unread:
                ready, _, _ = select.select([self._answers], [], [], max(0, deadline - time.monotonic()))
                piece = os.read(self._answers, 1 << 20) if ready else b""
                if not piece:
                    said = tail(self._log.read_text())
                    raise BrowserError(f"The browser {'has ended' if ready else 'does not answer'}: {said}")
                self._unread += piece
                continue
            message, _, self._unread = self._unread.partition(b"\0")
            self._take(json.loads(message))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._results[message["id"]] = message
        else:
            self._notice(message["method"], message["params"])

    def _notice(self, event: str, about: dict[str, Any]) -> None:
        if event == "Page.lifecycleEvent" and about["name"] == "load":
            self._loaded.append(about["loaderId"])
        elif event == "Network.requestWillBeSent":
            url = about["request"]["url"]
            if not url.startswith((f"{self.site}/", "data:")):
                self._complaints.append(f"It asked for {url}.")
        elif event == "Runtime.exceptionThrown":
            self._complaints.append(f"A script failed: {about['exceptionDetails']}")
        elif event == "Runtime.consoleAPICalled" and about["type"] in {"error", "warning", "assert"}:
            self._complaints.append(f"A script complained: {[one.get('value') for one in about['args']]}")
        elif event == "Log.entryAdded" and about["entry"]["level"] in {"error", "warning"}:
            self._complaints.append(f"{about['entry']['text']} ({about['entry'].get('url')})")
        elif (
            event == "Audits.issueAdded" and "contentSecurityPolicyIssueDetails" in about["issue"]["details"]
        ):
            self._complaints.append(f"The policy was violated: {about['issue']['details']}")
