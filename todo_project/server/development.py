"""Runs gunicorn for `make run`, and restarts it after each change of a source file.

Not gunicorn's own `reload`: its workers inherit from the master what the configuration imports, such as the
settings, so that changes of these have no effect; and an error at import ends the server.
"""

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUNICORN = "gunicorn todo_project.wsgi --config python:todo_project.server.gunicorn_conf"
INTERVAL = 1
STOP_TIMEOUT = 5


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    files, server, restarted = snapshot(), start(), False
    try:
        # If the server cannot start, this ends; but after a change has broken it, the next one may repair it.
        while restarted or server.poll() is None:
            time.sleep(INTERVAL)
            current = snapshot()
            if changes := files.items() ^ current.items():
                sys.stdout.write(f"{min(changes)[0].relative_to(ROOT)} has changed. Restarting …\n")
                sys.stdout.flush()
                stop(server)
                files, server, restarted = current, start(), True
    except KeyboardInterrupt:
        pass
    finally:
        stop(server)
    sys.exit(server.returncode)


def snapshot() -> dict[Path, int]:
    """The times of the last changes of .env and of all modules, templates and guides."""
    folders = [
        "docs",
        *(path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"),
    ]
    paths = [ROOT / ".env", *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    times = {}
    for path in paths:
        if path.suffix in {".py", ".html", ".md"} or path.name == ".env":
            with suppress(FileNotFoundError):  # An editor may replace it at this moment.
                times[path] = path.stat().st_mtime_ns
    return times


def start() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", *GUNICORN.split()], cwd=ROOT)  # noqa: S603


def stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
