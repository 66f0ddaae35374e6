"""Password validators."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.module_loading import import_string

from .hashers import normalize


class NormalizedValidator:
    """Another validator, on the form of the password that is hashed."""

    def __init__(self, validator: str, **options: Any) -> None:
        self.validator = import_string(validator)(**options)

    def validate(self, password: str, user: Any = None) -> None:
        self.validator.validate(normalize(password), user)

    def get_help_text(self) -> str:
        return str(self.validator.get_help_text())


class NotBlankValidator:
    def validate(self, password: str, user: Any = None) -> None:
        if not normalize(password).strip():
            raise ValidationError("The password must not consist of spaces only.", code="password_blank")

    def get_help_text(self) -> str:
        return "Your password can’t consist of spaces only."
