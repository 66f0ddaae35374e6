"""Checks the settings of Sentry and OpenTelemetry, whose packages are optional."""

import re
from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured


def check_sentry(dsn: str) -> None:
    if not re.fullmatch(r"https?://[^/@\s]+@[^/@\s]+/(\S+/)?\d+", dsn):
        raise ImproperlyConfigured(
            "SENTRY_DSN must be the DSN of a Sentry project, such as https://key@o1.ingest.sentry.io/2."
        )
    require("sentry_sdk", variable="SENTRY_DSN", requirements="requirements-sentry.txt")


def check_tracing(endpoint: str) -> None:
    variable = "OTEL_EXPORTER_OTLP_ENDPOINT"
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", endpoint):
        raise ImproperlyConfigured(
            f"{variable} must be the URL of an OTLP/HTTP collector, such as http://localhost:4318."
        )
    require("opentelemetry.sdk", variable=variable, requirements="requirements-tracing.txt")


def require(module: str, *, variable: str, requirements: str) -> None:
    try:
        is_installed = find_spec(module) is not None
    except ModuleNotFoundError:  # Its parent package is missing.
        is_installed = False
    if not is_installed:
        raise ImproperlyConfigured(
            f"{variable} is set, but {module} is not installed. Run: pip install -r {requirements}"
        )
