"""The admin's login."""

import math
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError

from todo_project.addresses import UNKNOWN, client_address
from todo_project.errors import RateLimited

from . import login_guard


class GuardedLoginForm(AdminAuthenticationForm):
    """The admin's login, which tells of too many failures where the API answers 429."""

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except RateLimited as error:
            minutes = math.ceil(int(error.headers["Retry-After"]) / 60)
            raise ValidationError(f"Too many failed sign-ins. Try again in {minutes} minutes.") from error
        user = self.get_user()
        # Nobody was looked for if a field was wrong already.
        if user is not None:
            login_guard.forget_failures(user, self.address)
        return cleaned

    @property
    def address(self) -> str:
        return client_address(self.request) if self.request else UNKNOWN
