"""What an app wants to know of the signed-in user. It comes with the query that authenticates them."""

from dataclasses import dataclass
from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Coalesce

from todo_project.config.registry import Registry


@dataclass(frozen=True)
class UserAnnotation:
    """A column of a related row, or the default of a user who has no such row."""

    path: str
    default: Any

    def expression(self, prefix: str = "") -> Any:
        return Coalesce(F(f"{prefix}{self.path}"), Value(self.default))


USER_ANNOTATIONS: Registry[UserAnnotation] = Registry("user annotations")
