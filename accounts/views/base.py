"""What the views of this app share."""

from functools import cache
from typing import Any

from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from todo_project.api.views import ApiView

from ..scopes import ACCOUNT
from ..serializers import UserSerializer

NO_STORE = {"Cache-Control": "no-store"}


class PublicView(ApiView):
    """For callers without a token. A stale token in the header is ignored."""

    authentication_classes = []
    permission_classes = [AllowAny]


class AccountView(ApiView):
    scope_area = ACCOUNT


@cache
def shared(serializer_class: Any) -> Any:
    """An instance for all requests: creating one costs more than validating a body or representing a user."""
    return serializer_class()


def validated_body(request: Request, serializer_class: Any) -> dict[str, Any]:
    """The serializer may not read the request."""
    body: dict[str, Any] = shared(serializer_class).run_validation(request.data)
    return body


def profile_of(user: Any) -> dict[str, Any]:
    profile: dict[str, Any] = shared(UserSerializer).to_representation(user)
    return profile
