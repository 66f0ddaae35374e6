"""Two-factor authentication for the admin, used if STAFF_SECOND_FACTOR is on."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django_otp import devices_for_user
from django_otp.forms import OTPAuthenticationFormMixin

from . import login_guard
from .forms import GuardedLoginForm
from .site import StaffSite

APP_CODES, RECOVERY_CODES = "otp_totp", "otp_static"


class SecondFactorLoginForm(OTPAuthenticationFormMixin, GuardedLoginForm):
    """One message and one count for every failure, so that nobody learns that the password was correct."""

    otp_token = forms.CharField(
        label="Code from your app, or a recovery code",
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )
    error_messages = {
        **GuardedLoginForm.error_messages,
        "invalid_login": "The email, password or code is incorrect, or this is not a staff account. After a "
        "wrong code, wait a few seconds; codes entered sooner are ignored.",
    }

    def clean_otp_token(self) -> str:
        """Accept the spaces that apps show, the hyphens of recovery codes, and capital letters."""
        return re.sub(r"[\s-]", "", self.cleaned_data["otp_token"]).lower()

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        try:
            self.clean_otp(user)
        except ValidationError as error:
            login_guard.record_failure(user.email, self.address, at=timezone.now())
            raise self.get_invalid_login_error() from error

    def _chosen_device(self, user: Any) -> Any:
        """Chosen by the format of the code. A choice would need a second page that repeats the password."""
        plugin = APP_CODES if self.cleaned_data.get("otp_token", "").isdecimal() else RECOVERY_CODES
        # Locked, so that a code works once and simultaneous guesses are all counted.
        devices = devices_for_user(user, for_verify=True)
        return next((device for device in devices if device._meta.app_label == plugin), None)

    def _update_form(self, user: Any) -> None:
        """Does nothing: django-otp sends the password back in the page."""


class SecondFactorSite(StaffSite):
    login_form = SecondFactorLoginForm

    def has_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return super().has_permission(request) and user.is_verified()
