"""Traces for OpenTelemetry. Nothing imports this module unless OTEL_EXPORTER_OTLP_ENDPOINT is set.

A trace has a span for the request and one for each SQL statement. OpenTelemetry's instrumentation of Django
would add the URL with its query and the client's address, and that of psycopg misses prepared statements.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from todo_project.api.request_log import current_request_id, error_code_of, method_of, route_of
from todo_project.db.replica import wrap_statements


class TracingMiddleware:
    """The SDK itself reads the other OTEL_* variables, such as those of the sampler."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        resource = Resource.create({"service.name": "todo", "service.version": settings.VERSION})
        provider = TracerProvider(resource=resource.merge(OTELResourceDetector().detect()))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = provider.get_tracer("todo_project")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        method, parent = method_of(request), extract(request.headers)
        with (
            self.tracer.start_as_current_span(method, parent, SpanKind.SERVER) as span,
            wrap_statements(self.trace_statement),
        ):
            response = self.get_response(request)
            span.set_attributes(
                {
                    "http.request.method": method,
                    "http.response.status_code": response.status_code,
                    "request_id": current_request_id() or "",
                }
            )
            if route := route_of(request):
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)
            if code := error_code_of(response):
                span.set_attribute("error.type", code)
            if response.status_code >= 500:
                span.set_status(StatusCode.ERROR)
        return response

    def trace_statement(self, execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        """Neither parameters nor the database's error messages, which contain values."""
        attributes = {"db.system.name": connection.vendor, "db.query.text": sql}
        with self.tracer.start_as_current_span(
            sql.partition(" ")[0],
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return execute(sql, *args)
            except Exception:
                span.set_status(StatusCode.ERROR)
                raise
