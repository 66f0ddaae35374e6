"""The admin as a site: how staff sign in to it, and change their own password."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import BadRequest, FieldDoesNotExist, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy
from django.utils import timezone

from todo_project.api.addresses import client_address

from .forms import GuardedLoginForm, OwnPasswordForm


class OwnPassword(PasswordChangeView):
    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")
    template_name = "registration/password_change_form.html"

    def get_form(self, *args: Any) -> Any:
        form: Any = super().get_form(*args)
        form.address = client_address(self.request)
        return form

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        """As everywhere: whoever knew the old password is out."""
        form.user.change_password(form.cleaned_data["new_password1"], at=timezone.now())
        LogEntry.objects.log_actions(form.user.pk, [form.user], CHANGE, change_message="Changed password.")
        update_session_auth_hash(self.request, form.user)
        return HttpResponseRedirect(self.get_success_url())


class StaffSite(AdminSite):
    site_header = site_title = "Todo administration"
    login_form = GuardedLoginForm

    def get_urls(self) -> list[Any]:
        """Without the way to a thing's own page: nothing here has one."""
        return [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]

    def admin_view(  # type: ignore[override]
        self, view: Callable[..., Any], cacheable: bool = False
    ) -> Callable[..., Any]:
        """A column that is not there, or what none can hold, is a wrong question and not a crash."""

        @wraps(view)
        def asked(*args: Any, **kwargs: Any) -> Any:
            try:
                return view(*args, **kwargs)
            except (ValidationError, OverflowError, FieldDoesNotExist) as error:
                raise BadRequest("There is no such value.") from error

        return super().admin_view(asked, cacheable)

    def register(self, model_or_iterable: Any, *args: Any, **kwargs: Any) -> None:
        """But for django-otp's own pages, which show the secrets; there is a command for them."""
        if getattr(model_or_iterable, "__module__", "").startswith("django_otp."):
            return
        super().register(model_or_iterable, *args, **kwargs)

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Django's page, which names its form and leaves no place for another."""
        context = {**self.each_context(request), **(extra_context or {})}
        return OwnPassword.as_view(extra_context=context)(request)
