"""Health probes. Their Host is an IP address, so the middleware answers before ALLOWED_HOSTS is checked."""

from collections.abc import Callable
from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import resolve

from todo_project.api.error_handling import ErrorResponse, translate
from todo_project.api.errors import ApiError, MethodNotAllowed, ServiceUnavailable


def healthz(request: HttpRequest) -> HttpResponse:
    """The process responds. Without a query, which would keep a serverless database awake."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """The database responds and all migrations are applied."""
    pending = len(migrations_in_code() - MigrationRecorder(connection).applied_migrations().keys())
    if pending:
        raise ServiceUnavailable(f"Not ready: {pending} migrations are not applied. Run manage.py migrate.")
    return JsonResponse({"status": "ok", "database": "ok", "migrations": "ok"})


@cache
def migrations_in_code() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


class ProbeMiddleware:
    PATHS = frozenset({"/healthz", "/readyz"})

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
