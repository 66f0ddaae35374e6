"""gunicorn's configuration: a few processes with a few threads, each with its own database connection."""

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "todo_project.settings")

# Load the settings here, so that an error is one line and not one traceback per worker.
try:
    from todo_project import settings
except ImproperlyConfigured as error:
    sys.exit(f"Not started: {error}")

# Must be set before a process imports metrics.py. A second master after SIGUSR2 gets a directory of its own.
if settings.METRICS_TOKEN:
    metrics_directory = tempfile.mkdtemp(prefix="todo-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_directory

bind = f"127.0.0.1:{settings.PORT}"
worker_class = "todo_project.server.worker.Worker"
workers = settings.WEB_CONCURRENCY
threads = settings.WEB_THREADS
keepalive = 5
# With the connections to the database below 1,024, a common limit for the open files of a process.
worker_connections = 900
# A cursor may contain a title of 500 characters of four bytes each, in base64.
limit_request_line = 8190
# The heartbeat of a process, not a limit for a request: waiting for the database does not stop it.
timeout = 60
graceful_timeout = 30
# In memory, because a slow disk makes a worker look dead.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
# Only Django reads the headers of proxies, and only X-Forwarded-For and X-Forwarded-Proto.
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
control_socket_disable = True
# It would bypass ResponseSocket, which holds the head back until the body comes.
sendfile = False
logger_class = "todo_project.server.logger.ServerLogger"
logconfig_dict = settings.LOGGING


def on_starting(server: Any) -> None:
    """Fail at once if the port is in use; gunicorn would retry for five seconds."""
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
                sys.exit(f"Not started: port {address[1]} cannot be used ({error.strerror}). Change PORT.")


def post_worker_init(worker: Any) -> None:
    worker.log.info("Worker ready (pid:%s)", worker.pid)


def child_exit(server: Any, worker: Any) -> None:
    worker.forget_connections()
    if settings.METRICS_TOKEN:
        from prometheus_client.multiprocess import mark_process_dead  # Costs nothing while metrics are off.

        mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    if settings.METRICS_TOKEN:
        shutil.rmtree(metrics_directory, ignore_errors=True)


def when_ready(server: Any) -> None:
    server.log.info("Todo API %s, WEB_CONCURRENCY=%s, WEB_THREADS=%s", settings.VERSION, workers, threads)
    if settings.DEBUG and isinstance(server.address[0], tuple):
        base = "http://{}:{}".format(*server.address[0])
        server.log.info("Docs: %s/docs  Admin: %s/admin/  Stop with Ctrl-C.", base, base)
