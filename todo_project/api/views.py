"""The base of every API view."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import orjson
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from todo_project.db.json_text import without_content

from .concurrency import Turn, occupy_thread, remember_sender
from .encoder import dumps
from .endpoints import Endpoint
from .errors import ApiError, MalformedRequest, MethodNotAllowed, ValidationFailed
from .idempotency import read_key, run_once
from .parameters import QueryParameters
from .transactions import run_and_roll_back, run_in_transaction


class ApiView(APIView):
    """A write is one transaction, and runs once per Idempotency-Key.

    Unknown query parameters are rejected.
    """

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    endpoint: Endpoint
    """The declaration of the current action; see endpoints.py."""

    shows_content = True
    """Whether responses show whole objects. The permission class sets it to false for write-only tokens."""

    query: Mapping[str, Any]
    """The validated query parameters."""

    turn: AbstractContextManager[None] = nullcontext()
    """Entered while the handler runs."""

    in_transaction = False
    """Whether the handler of a write runs in a transaction."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """As in DRF, which has no hook to run only the handler in a transaction."""
        self.args, self.kwargs = args, kwargs
        if request.method == "OPTIONS":
            allowed = ", ".join([*self.allowed_methods, "OPTIONS"])
            return HttpResponse(status=204, headers={"Allow": allowed})
        self.request = request = self.initialize_request(request, *args, **kwargs)
        self.headers = {"Vary": "Authorization, Origin"}
        self.at_the_end: list[Callable[[], None]] = []
        try:
            try:
                self.initial(request, *args, **kwargs)
                handler = self.get_handler(request)
                with self.turn:
                    response = self.run(request, handler)
            except Exception as error:
                response = self.handle_exception(error)
            if response.streaming:  # The thread sends it after this method has returned.
                response._resource_closers += self.at_the_end  # type: ignore[attr-defined]
                self.at_the_end = []
        finally:
            for each in self.at_the_end:
                each()
        self.response = self.finalize_response(request, response, *args, **kwargs)
        return self.response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As in DRF, but requests with invalid credentials count towards the rate limit too."""
        self.format_kwarg = None
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        try:
            self.perform_authentication(request)
        except (ApiError, APIException):
            request.user, request.auth = AnonymousUser(), None
            self.check_throttles(request)
            raise
        self.check_throttles(request)
        user = request.user
        if user.is_authenticated:
            remember_sender(request.META.get("HTTP_AUTHORIZATION", ""), user)
            self.at_the_end.append(occupy_thread(user))
            self.turn = Turn(user)
        self.check_permissions(request)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """As in DRF, which parses what every client accepts that does not care."""
        if request.META.get("HTTP_ACCEPT", "*/*") == "*/*":
            renderer = self.get_renderers()[0]
            return renderer, renderer.media_type
        return super().perform_content_negotiation(request, force)

    def get_handler(self, request: Request) -> Callable[..., Response]:
        method = str(request.method).lower()
        handler = getattr(self, method, None) if method in self.http_method_names else None
        if handler is None:
            raise MethodNotAllowed(headers={"Allow": ", ".join(self.allowed_methods)})
        self.endpoint = handler.endpoint
        if_match = request.method not in SAFE_METHODS and request.META.get("HTTP_IF_MATCH", "*") != "*"
        if if_match and not self.endpoint.conditional:
            raise ValidationFailed.of("If-Match", "unsupported", "If-Match is not supported here.")
        # DRF takes an empty body for {}, which would be an update of no field.
        if method == "patch" and not request._request.body:
            raise MalformedRequest("The body is empty. Send a JSON object with the fields to change.")
        self.query = self.get_parameters().clean(request.query_params)
        return handler

    def get_parameters(self) -> type[QueryParameters]:
        """The query parameters of the current action."""
        return self.endpoint.parameters

    def run(self, request: Request, handler: Callable[..., Response]) -> Response:
        handle = partial(handler, request, *self.args, **self.kwargs)
        if request.method in SAFE_METHODS:
            return handle()
        key = read_key(request) if self.endpoint.idempotent and request.method == "POST" else None
        owner = self.get_key_owner(request) if key else None
        is_dry_run = self.query.get("dry_run")
        self.in_transaction = bool(is_dry_run or owner or self.endpoint.is_transaction)
        if is_dry_run:
            return run_and_roll_back(handle)
        if key and owner:
            return run_once(request, handle, key=key, owner=owner, restore_content=self.restore_content)
        return run_in_transaction(handle) if self.in_transaction else handle()

    def restore_content(self, data: Any) -> Any:
        """Add what is missing in a stored response of which only IDs and versions are kept."""
        return data

    def get_key_owner(self, request: Request) -> uuid.UUID | None:
        """The ID of the user under whom the response to an Idempotency-Key is stored."""
        return request.user.pk

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        if not self.shows_content:
            body = response.data if isinstance(response.data, bytes) else dumps(response.data)
            response.data = without_content(orjson.loads(body))
        response = super().finalize_response(request, response, *args, **kwargs)
        # Responses depend on the user and may change at any time, so caches must revalidate them.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response


class ApiViewSet(ApiView, GenericViewSet[Any]):
    """A base class without actions."""
