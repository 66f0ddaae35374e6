"""Runs the shell examples of a page as they are written, and records what curl received."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from .processes import TIMEOUT

# For the script it is curl. What it receives goes to the log, too.
CURL = """#!{python}
import json, os, subprocess, sys
status = "%{{stderr}}%{{http_code}} %{{method}} %{{url}}"
ended = subprocess.run([{curl!r}, "-sS", *sys.argv[1:], "-w", status], capture_output=True)
sys.stdout.buffer.write(ended.stdout)
sys.stderr.buffer.write(ended.stderr)
with open({log!r}, "a") as log:
    print(json.dumps([os.environ["BLOCK"], ended.stderr.decode(), ended.stdout.decode()]), file=log)
"""


@dataclass
class Received:
    block: int
    status: int
    request: str
    body: str


def shell_blocks(page: str) -> list[tuple[str, str]]:
    """The shell blocks of a page, each with the JSON directly below it, which is its last answer."""
    text = (settings.BASE_DIR / page).read_text()
    blocks = r"^```sh\n(.*?)^```\n(?:\n```json\n(.*?)^```\n)?"
    return re.findall(blocks, text, re.MULTILINE | re.DOTALL)


def pages_with_requests() -> set[str]:
    paths = [settings.BASE_DIR / "README.md", *settings.BASE_DIR.glob("docs/*.md")]
    names = [str(path.relative_to(settings.BASE_DIR)) for path in paths]
    return {name for name in names if any("$API" in code for code, _ in shell_blocks(name))}


def run_examples(page: str, folder: Path, changes: dict[str, str], **variables: str) -> list[Received]:
    """Run the shell blocks of a page with requests in one shell, with the changes that a reader makes."""
    code = "\n".join(
        f"export BLOCK={number}\n{code}"
        for number, (code, _) in enumerate(shell_blocks(page))
        if "API" in code
    )
    for old, new in changes.items():
        assert old in code, f"{page} does not contain {old}"
        code = code.replace(old, new)
    log, curl = folder / "log", folder / "curl"
    log.touch()
    curl.write_text(CURL.format(python=sys.executable, curl=shutil.which("curl"), log=str(log)))
    curl.chmod(0o755)
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return [received(*json.loads(line)) for line in log.read_text().splitlines()]


def received(block: str, status: str, body: str) -> Received:
    code, request = status.split(maxsplit=1)
    return Received(int(block), int(code), request, body)


def has_shape(documented: Any, actual: Any) -> bool:
    """Whether an answer has all fields of a documented one, with values of the same types."""
    if isinstance(documented, dict) and isinstance(actual, dict):
        names = documented.keys() - {"…"}
        return names <= actual.keys() and all(has_shape(documented[name], actual[name]) for name in names)
    if isinstance(documented, list) and isinstance(actual, list):
        return len(actual) >= len(documented) and all(map(has_shape, documented, actual))
    return actual is None or type(documented) is type(actual)
