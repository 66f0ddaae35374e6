"""Routes of the API (/api/v1), the admin, the HTML pages and the health probes."""

from typing import Any

from django.contrib import admin
from django.urls import include, path

from . import pages
from .api import paths  # noqa: F401  (paths registers the id converter)
from .server import probes

api: list[Any] = [
    path("", include("tasks.urls")),
    path("", include("accounts.urls")),
    path("schema", pages.Schema.as_view(), name="schema"),
]

# Django tries them in this order: the most frequent ones come first.
urlpatterns = [
    path("api/v1/", include(api)),
    path("", pages.landing, name="landing"),
    path("docs", pages.Docs.as_view(template_name="docs.html"), name="docs"),
    path("docs/<slug:name>.md", pages.Guide.as_view(), name="guide"),
    path("docs/examples/<path:name>", pages.Example.as_view()),
    path("redoc", pages.Docs.as_view(template_name="redoc.html"), name="redoc"),
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
    path("metrics", probes.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("api/v1", pages.Root.as_view(), name="root"),
]
