"""Health probes and metrics. Their Host is an IP address, so ALLOWED_HOSTS does not apply to them."""

from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import resolve
from django.utils.crypto import constant_time_compare

from todo_project.api.error_handling import ErrorResponse, translate
from todo_project.api.errors import ApiError, MethodNotAllowed, NotAuthenticated, NotFound, ServiceUnavailable


def healthz(request: HttpRequest) -> HttpResponse:
    """The process responds. Without a query, which would keep a serverless database awake."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """The database responds and all migrations are applied."""
    pending = len(migrations_in_code() - MigrationRecorder(connection).applied_migrations().keys())
    if pending:
        raise ServiceUnavailable(f"Not ready: {pending} migrations are not applied. Run manage.py migrate.")
    return JsonResponse({"status": "ok", "database": "ok", "migrations": "ok"})


def metrics(request: HttpRequest) -> HttpResponse:
    """Metrics for Prometheus, which sends METRICS_TOKEN."""
    if not settings.METRICS_TOKEN:
        raise NotFound
    authorization = request.headers.get("Authorization", "")
    if not constant_time_compare(authorization, f"Bearer {settings.METRICS_TOKEN}"):
        raise NotAuthenticated("Send METRICS_TOKEN as 'Authorization: Bearer …'.")
    from .metrics import exposition  # Not at the top: metrics that are off cost no import.

    return HttpResponse(exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")


@cache
def migrations_in_code() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


class ProbeMiddleware:
    PATHS = frozenset({"/healthz", "/readyz", "/metrics"})

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in self.PATHS:
            return self.get_response(request)
        request.resolver_match = probe = resolve(request.path_info)
        try:
            if request.method not in {"GET", "HEAD"}:
                raise MethodNotAllowed(headers={"Allow": "GET, HEAD"})
            return probe.func(request)
        except (ApiError, DatabaseError) as error:
            return ErrorResponse(translate(error, request.method))
