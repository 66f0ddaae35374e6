"""What a token may be used for: a view names its area, the method says whether it reads or writes."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from todo_project.api.errors import NotAuthenticated

TASKS_READ, TASKS_WRITE, ACCOUNT = "tasks:read", "tasks:write", "account"
ALL = frozenset({TASKS_READ, TASKS_WRITE, ACCOUNT})


def needed_scope(view: Any, method: str) -> str:
    """A view that names no area is closed: forgetting one shows at the first request."""
    area = getattr(view, "scope_area", None)
    if area == ACCOUNT:
        return ACCOUNT
    if area == "tasks":
        return TASKS_READ if method in SAFE_METHODS else TASKS_WRITE
    raise TypeError(f"{type(view).__name__} names no scope_area")


class HasScope(BasePermission):
    """The default permission: signed in, with a token that was given this right."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            raise NotAuthenticated
        credential: Any = request.auth
        credential.require(needed_scope(view, str(request.method)))
        return True
