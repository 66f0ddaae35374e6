"""The base of every API view: what the contract promises about any request holds here."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn

from django.utils.cache import patch_vary_headers
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from .errors import MethodNotAllowed, RateLimited, ValidationFailed
from .idempotency import run_once
from .parameters import QueryParameters
from .throttling import Allowance
from .transactions import all_or_nothing


class ApiView(APIView):
    """A write is one transaction and runs once per Idempotency-Key; an unknown query parameter is refused."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    query_parameters: Mapping[str, type[QueryParameters]] = {}
    """The parameters of each action (or, in a plain view, method); an action that is not named takes none."""

    idempotent = True
    """Whether the answer to a POST may be kept for its retries; one that shows a secret may not."""

    conditional: tuple[str, ...] = ()
    """The actions that answer with an ETag, and heed If-None-Match or If-Match; others refuse If-Match."""

    final: tuple[str, ...] = ()
    """Those of the conditional actions after which there is no state left that an ETag could name."""

    extra_statuses: tuple[int, ...] = ()
    """For the description: the statuses of refusals that do not follow from the kind of the operation."""

    query: Mapping[str, Any]
    allowance: Allowance | None = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """DRF's dispatch, which has no hook between its checks and its handler to open a transaction in."""
        self.args, self.kwargs = args, kwargs
        self.request = request = self.initialize_request(request, *args, **kwargs)
        self.headers: dict[str, str] = {}
        try:
            self.initial(request, *args, **kwargs)
            response = self.run(request, self.find_handler(request))
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(request, response, *args, **kwargs)
        return self.response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As in DRF, but a caller whose credentials fail is counted too."""
        self.format_kwarg = None
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        request.version = request.versioning_scheme = None
        try:
            self.perform_authentication(request)
        except APIException:
            self.check_throttles(request)
            raise
        self.check_throttles(request)
        self.check_permissions(request)

    def find_handler(self, request: Request) -> Callable[..., Response]:
        method = str(request.method).lower()
        handler = getattr(self, method, None) if method in self.http_method_names else None
        if handler is None:
            allowed = ", ".join(name.upper() for name in self.http_method_names if hasattr(self, name))
            raise MethodNotAllowed(headers={"Allow": allowed})
        action = getattr(self, "action", None) or method
        asks = request.method not in SAFE_METHODS and request.headers.get("If-Match", "*") != "*"
        if asks and action not in self.conditional:
            raise ValidationFailed.of(
                "If-Match", "unsupported", "There is no state to match here; leave it out."
            )
        declared = self.query_parameters.get(action, QueryParameters)
        self.query = declared.clean(request.query_params)
        return handler

    def run(self, request: Request, handler: Callable[..., Response]) -> Response:
        handle = partial(handler, request, *self.args, **self.kwargs)
        if request.method in SAFE_METHODS:
            return handle()
        return run_once(request, handle) if self.idempotent else all_or_nothing(handle)

    def throttled(self, request: Any, wait: float | None) -> NoReturn:
        raise RateLimited(retry_after=math.ceil(wait or 1))

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.allowance is not None:
            for name, value in self.allowance.headers.items():
                response[name] = value
        # What one caller may see is nobody else's, and a cache must ask again each time.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(response, ["Authorization"])
        return response


class ApiViewSet(ApiView, GenericViewSet[Any]):
    """A resource: a queryset and a serializer, seen through actions."""
