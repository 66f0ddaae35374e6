"""Metrics for Prometheus. Nothing imports this module unless METRICS_TOKEN is set.

gunicorn_conf.py sets the directory in which each process stores its values; a scrape adds them up.
"""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from todo_project.api.request_log import error_code_of, method_of, route_of
from todo_project.db.replica import observers, wrap_statements

REQUESTS = Counter("todo_requests", "Requests.", ["method", "route", "status"])
ERRORS = Counter("todo_errors", "Error responses of the API.", ["code"])
DURATION = Histogram(
    "todo_request_duration_seconds",
    "Time from the first middleware to the last.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
DATABASE_TIME = Counter("todo_database_seconds", "Time in SQL statements.", ["method", "route"])
STATEMENTS = Counter("todo_database_statements", "SQL statements.", ["method", "route"])
REPLICA_READS = Counter("todo_replica_reads", "Reads that the replica may serve.", ["outcome"])
THREADS = Gauge("todo_threads", "Threads of all processes.", multiprocess_mode="livesum")
BUSY_THREADS = Gauge("todo_busy_threads", "Threads that handle a request.", multiprocess_mode="livesum")
BUILD = Gauge("todo_build_info", "Always 1; the label is the version.", ["version"], multiprocess_mode="max")


class StatementTimer:
    """A wrapper of Django's database instrumentation."""

    def __init__(self) -> None:
        self.number, self.seconds = 0, 0.0

    def __call__(self, execute: Callable[..., Any], *args: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(*args)
        finally:
            self.seconds += time.perf_counter() - started
            self.number += 1


class MetricsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        THREADS.set(settings.WEB_THREADS)
        BUILD.labels(settings.VERSION).set(1)
        observers.append(lambda outcome: REPLICA_READS.labels(outcome).inc())

    def __call__(self, request: HttpRequest) -> HttpResponse:
        timer, started = StatementTimer(), time.perf_counter()
        with BUSY_THREADS.track_inprogress(), wrap_statements(timer):
            response = self.get_response(request)
        labels = method_of(request), route_of(request) or "none"
        DURATION.labels(*labels).observe(time.perf_counter() - started)
        REQUESTS.labels(*labels, response.status_code).inc()
        DATABASE_TIME.labels(*labels).inc(timer.seconds)
        STATEMENTS.labels(*labels).inc(timer.number)
        if code := error_code_of(response):
            ERRORS.labels(code).inc()
        return response


def exposition() -> bytes:
    """The values of all processes in Prometheus's text format."""
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)
    except ValueError:  # No directory: not started by gunicorn_conf.py, so this is the only process.
        registry = REGISTRY
    return generate_latest(registry)
