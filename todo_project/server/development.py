"""Runs gunicorn for `make run`, and restarts it after each change of a source file.

Not gunicorn's own `reload`: its workers inherit from the master what the configuration imports, such as the
settings, so that changes of these have no effect; and an error at import ends the server.
"""

import signal
import subprocess
import sys
import time
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
    folders = [ROOT / "docs", *(path.parent for path in ROOT.glob("*/__init__.py"))]
    suffixes = {".py", ".html", ".md"}
    paths = (path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes)
    return {
        path: path.stat().st_mtime_ns
        for path in [ROOT / ".env", *paths]
        if path.exists() and "tests" not in path.parts
    }


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
