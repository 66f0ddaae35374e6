"""Attributes that apps add to the authenticated user. The query that authenticates the user loads them."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import F, IntegerField, Value
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast, Coalesce

from todo_project.config.registry import Registry


@dataclass(frozen=True)
class UserAnnotation:
    """A column of a related row, or the default for users without such a row."""

    path: str
    default: Any

    def expression(self, prefix: str = "") -> Any:
        return Coalesce(F(f"{prefix}{self.path}"), Value(self.default))


@dataclass(frozen=True)
class NumberInJSON(UserAnnotation):
    """A number in a JSON column of a related row, or the default."""

    keys: tuple[str, str]

    def expression(self, prefix: str = "") -> Any:
        first, last = self.keys
        number = KeyTextTransform(last, KeyTransform(first, f"{prefix}{self.path}"))
        return Coalesce(Cast(number, IntegerField()), Value(self.default))


def check_paths() -> None:
    """Raise FieldError if an annotation names a field that does not exist."""
    for name, annotation in USER_ANNOTATIONS.items():
        get_user_model().objects.annotate(**{name: annotation.expression()})


USER_ANNOTATIONS: Registry[UserAnnotation] = Registry("user annotations")
