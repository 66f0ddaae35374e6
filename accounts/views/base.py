"""What the views of this app share."""

from typing import Any

from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from todo_project.api.views import ApiView

from ..scopes import ACCOUNT

NO_STORE = {"Cache-Control": "no-store"}


class PublicView(ApiView):
    """For callers without a token. A stale token in the header is ignored."""

    authentication_classes = []
    permission_classes = [AllowAny]


class AccountView(ApiView):
    scope_area = ACCOUNT


def validated_body(request: Request, serializer_class: Any) -> dict[str, Any]:
    serializer = serializer_class(data=request.data, context={"request": request})
    serializer.is_valid(raise_exception=True)
    body: dict[str, Any] = serializer.validated_data
    return body
