"""The landing page, the API documentation and the OpenAPI description."""

import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import TemplateView
from drf_spectacular.utils import OpenApiResponse, OpenApiTypes
from markdown_it import MarkdownIt
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from .api.conditional import etag, not_modified
from .api.endpoints import endpoint
from .api.parameters import QueryParameters
from .api.schema import document, document_as_yaml
from .api.views import ApiView

CSP = "Content-Security-Policy"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
INLINE_STYLES_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
# Swagger UI and Redoc insert style elements, and Redoc's search runs in a worker created from a blob.
DOCS_POLICY = f"{INLINE_STYLES_POLICY}; worker-src blob:"


class ContentSecurityPolicyMiddleware:
    """Adds POLICY to HTML pages without a policy. Django 6.0 has such a middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            # Django's own error pages, for developers, have inline styles.
            is_technical = settings.DEBUG and response.status_code in {404, 500}
            response.headers.setdefault(CSP, INLINE_STYLES_POLICY if is_technical else POLICY)
        return response


# Without the exemption a POST would get 403 (CSRF) instead of 405.
@method_decorator(csrf_exempt, name="dispatch")
class Page(TemplateView):
    http_method_names = ["get", "head"]


class Docs(Page):
    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        return super().render_to_response(context, headers={CSP: DOCS_POLICY}, **kwargs)


EXAMPLES = ("offline_client.py", "typescript/tour.ts", "python/tour.py")
"""The files in docs/examples/ that guides link to."""


class Example(Page):
    def get(self, *args: Any, **kwargs: Any) -> HttpResponse:
        if (name := kwargs["name"]) not in EXAMPLES:
            raise Http404
        path = settings.BASE_DIR / "docs" / "examples" / name
        return HttpResponse(path.read_bytes(), content_type="text/plain; charset=utf-8")


GUIDES = {
    "signing-in": "Signing in",
    "tasks": "Tasks API by example",
    "projects": "Projects, subtasks and labels",
    "repeating-tasks": "Repeating tasks",
    "offline-clients": "Offline clients",
    "clients": "Generated clients",
    "errors": "Errors",
    "personal-access-tokens": "Personal access tokens",
    "identity-providers": "Identity providers",
}
"""The guides in docs/ for developers of clients, with their titles in lists."""


landing = Page.as_view(template_name="landing.html", extra_context={"guides": GUIDES})


class Guide(Page):
    template_name = "guide.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if (name := kwargs["name"]) not in GUIDES:
            raise Http404
        return super().get_context_data(**kwargs, title=GUIDES[name], content=render_guide(name))


@cache
def render_guide(name: str) -> SafeString:
    """HTML, whose headings have the same anchors as on GitHub."""
    markdown = MarkdownIt("commonmark").enable("table")
    tokens = markdown.parse((settings.BASE_DIR / "docs" / f"{name}.md").read_text())
    for heading, title in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", re.sub(r"[^\w-]", "", title.content.lower().replace(" ", "-")))
    return mark_safe(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S308 (no user's text)


class RootSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.CharField(help_text="The version of the server.")
    links = serializers.DictField(child=serializers.URLField(), help_text="The description, and its pages.")


class Root(ApiView):
    permission_classes = [AllowAny]

    @endpoint(
        "getServer", "Get the name and version of the server", tags=["meta"], responses={200: RootSerializer}
    )
    def get(self, request: Request) -> Response:
        """The links lead to the description and to the pages that show it."""
        names = ("schema", "docs", "redoc")
        links = {name: request.build_absolute_uri(reverse(name)) for name in names}
        return Response(
            {"name": settings.SPECTACULAR_SETTINGS["TITLE"], "version": settings.VERSION, "links": links}
        )


SCHEMA_RESPONSE = OpenApiResponse(OpenApiTypes.OBJECT, "The OpenAPI description.")
YAML = "application/yaml"


class SchemaParameters(QueryParameters):
    format = serializers.ChoiceField(choices=["json", "yaml"], default="json", help_text="Of the document.")


class Schema(ApiView):
    permission_classes = [AllowAny]

    @endpoint(
        "getDescription",
        "Get the OpenAPI 3.1 description",
        tags=["meta"],
        parameters=SchemaParameters,
        responses={(200, "application/json"): SCHEMA_RESPONSE, (200, YAML): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        """This document. It needs no token."""
        schema, digest = document()
        current = etag(f"{digest}-{self.query['format']}")
        if unchanged := not_modified(request, current):
            return unchanged
        headers = {"ETag": current}
        if self.query["format"] == "yaml":
            return HttpResponse(document_as_yaml(), content_type=YAML, headers=headers)
        return Response(schema, headers=headers)
