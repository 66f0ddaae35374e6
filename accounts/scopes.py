"""Scopes: a view declares its area, and the method decides between reading and writing."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from todo_project.api.errors import NotAuthenticated

TASKS_READ, TASKS_WRITE, ACCOUNT = "tasks:read", "tasks:write", "account"
ALL = frozenset({TASKS_READ, TASKS_WRITE, ACCOUNT})


def needed_scope(view: Any, method: str) -> str:
    """Raises TypeError for a view without an area, so that none is open by mistake."""
    area = getattr(view, "scope_area", None)
    if area == ACCOUNT:
        return ACCOUNT
    if area == "tasks":
        return TASKS_READ if method in SAFE_METHODS else TASKS_WRITE
    raise TypeError(f"{type(view).__name__} declares no scope_area")


class HasScope(BasePermission):
    """The default permission: a signed-in user whose token has the scope that the view needs."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            raise NotAuthenticated
        credential: Any = request.auth
        needed = needed_scope(view, str(request.method))
        credential.require(needed)
        view.shows_content = needed != TASKS_WRITE or TASKS_READ in credential.scopes
        return True
