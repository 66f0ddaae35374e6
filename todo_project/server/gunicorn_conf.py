"""How gunicorn runs it: a few threads in a few processes, each thread with its own database connection."""

import os
import socket
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings")

# Here a wrong setting is one line; in a worker it would be a traceback per worker.
try:
    from todo_project import settings
except ImproperlyConfigured as error:
    sys.exit(f"Not started: {error}")

bind = f"127.0.0.1:{settings.PORT}"
worker_class = "todo_project.server.worker.Worker"
workers = settings.WEB_CONCURRENCY
threads = settings.WEB_THREADS
keepalive = 5
# A cursor may hold a title of 500 letters, of four bytes each, in base64.
limit_request_line = 8190
# A heartbeat of the process, not a limit on a request: threads that wait for the database do not miss it.
timeout = 60
graceful_timeout = 30
# Heartbeat files in memory: on a disk a slow fsync looks like a dead worker.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True
accesslog = None
logconfig_dict = settings.LOGGING


def on_starting(server: Any) -> None:
    """Say that a port is taken at once and by name; gunicorn would try for five seconds."""
    if "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ:
        return
    for address in server.address:
        if not isinstance(address, tuple):
            continue
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                sys.exit(
                    f"Not started: port {address[1]} cannot be used ({error.strerror}). Set PORT to another."
                )


def when_ready(server: Any) -> None:
    host, port = server.address[0][:2] if isinstance(server.address[0], tuple) else (server.address[0], "")
    base = f"http://{host}:{port}"
    server.log.info("Serving %s · docs %s/docs · admin %s/admin/ · health %s/healthz", base, base, base, base)
