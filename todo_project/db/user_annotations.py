"""Attributes that apps add to the authenticated user. The query that authenticates the user loads them."""

from dataclasses import dataclass
from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Coalesce

from todo_project.config.registry import Registry


@dataclass(frozen=True)
class UserAnnotation:
    """A column of a related row, or the default for users without such a row."""

    path: str
    default: Any

    def expression(self, prefix: str = "") -> Any:
        return Coalesce(F(f"{prefix}{self.path}"), Value(self.default))


USER_ANNOTATIONS: Registry[UserAnnotation] = Registry("user annotations")
