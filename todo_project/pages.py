"""The landing page, the API documentation and the OpenAPI description."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import TemplateView
from drf_spectacular.utils import OpenApiResponse, OpenApiTypes
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from .api.conditional import etag, not_modified
from .api.endpoints import endpoint
from .api.schema import document
from .api.views import ApiView

CSP = "Content-Security-Policy"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Swagger UI and Redoc insert style elements, and Redoc's search runs in a worker created from a blob.
DOCS_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'") + "; worker-src blob:"


class ContentSecurityPolicyMiddleware:
    """Adds POLICY to HTML pages without a policy. Django 6.0 has such a middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault(CSP, POLICY)
        return response


# Without the exemption a POST would get 403 (CSRF) instead of 405.
@method_decorator(csrf_exempt, name="dispatch")
class Page(TemplateView):
    http_method_names = ["get", "head"]


class Docs(Page):
    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        return super().render_to_response(context, headers={CSP: DOCS_POLICY}, **kwargs)


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
        names = ("schema", "docs", "redoc")
        links = {name: request.build_absolute_uri(reverse(name)) for name in names}
        return Response(
            {"name": settings.SPECTACULAR_SETTINGS["TITLE"], "version": settings.VERSION, "links": links}
        )


SCHEMA_RESPONSE = OpenApiResponse(OpenApiTypes.OBJECT, "The OpenAPI description.")


class Schema(ApiView):
    permission_classes = [AllowAny]

    @endpoint(
        "getDescription", "Get the OpenAPI 3.1 description", tags=["meta"], responses={200: SCHEMA_RESPONSE}
    )
    def get(self, request: Request) -> Response:
        schema, digest = document()
        current = etag(digest)
        return not_modified(request, current) or Response(schema, headers={"ETag": current})
