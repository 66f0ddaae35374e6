"""The admin site: staff sign in, and change their own password."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import BadRequest, FieldDoesNotExist, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse_lazy
from django.utils import timezone
from django.utils.functional import cached_property
from django.views.generic import FormView
from django_otp import login as otp_login
from django_otp.plugins.otp_totp.models import TOTPDevice, default_key

from todo_project.admin.dashboard import snapshots_for
from todo_project.admin.options import BoundedModelAdmin

from . import otp_devices
from .forms import GuardedLoginForm, OwnPasswordForm, SecondFactorForm


class OwnPasswordView(PasswordChangeView):
    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:index")
    template_name = "registration/password_change_form.html"

    @transaction.atomic
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """In one transaction, because the form's validation locks the password."""
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        """Ends the user's sessions, as every change of a password does."""
        form.user.change_password(form.cleaned_data["new_password1"], at=timezone.now())
        LogEntry.objects.log_actions(form.user.pk, [form.user], CHANGE, change_message="Changed password.")
        update_session_auth_hash(self.request, form.user)
        messages.success(self.request, "Your password was changed.")
        return HttpResponseRedirect(self.get_success_url())


class SecondFactorView(FormView):
    """Sets up an authenticator app, before or after STAFF_SECOND_FACTOR is on. Replaces an earlier one."""

    form_class = SecondFactorForm
    template_name = "admin/second_factor.html"
    SESSION_KEY = "second_factor_key"

    @transaction.atomic
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """In one transaction, because the form's validation locks the password."""
        return super().post(request, *args, **kwargs)

    @cached_property
    def app(self) -> TOTPDevice:
        user: Any = self.request.user
        return otp_devices.new_app(user, self.request.session.setdefault(self.SESSION_KEY, default_key()))

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.request.user, "app": self.app}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **kwargs,
            title="Two-factor authentication",
            qr_code=otp_devices.qr_code(self.app),
            secret=otp_devices.secret(self.app),
            is_set_up=TOTPDevice.objects.devices_for_user(self.request.user, confirmed=True).exists(),
        )

    def form_valid(self, form: Any) -> HttpResponse:
        """Shows the recovery codes, this once."""
        codes = otp_devices.replace(form.user, self.app)
        del self.request.session[self.SESSION_KEY]
        otp_login(self.request, self.app)  # The session may rely on the device that is replaced.
        message = "Set up two-factor authentication."
        LogEntry.objects.log_actions(form.user.pk, [form.user], CHANGE, change_message=message)
        return self.render_to_response(self.get_context_data(codes=codes))


class StaffSite(AdminSite):
    site_header = site_title = "Todo administration"
    index_title = "Dashboard"
    login_form = GuardedLoginForm
    login_template = "admin/sign_in.html"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # It deletes past the operations that keep clients in sync.
        self.disable_action("delete_selected")

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """With the panels that the user has permission to see."""
        return super().index(request, {"snapshots": snapshots_for(request.user), **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """By the menu_order of their admins, and then by name."""
        apps = super().get_app_list(request, app_label)

        def order(model: dict[str, Any]) -> int:
            return getattr(self._registry[model["model"]], "menu_order", BoundedModelAdmin.menu_order)

        for app in apps:
            app["models"].sort(key=order)
        return sorted(apps, key=lambda app: order(app["models"][0]))

    def get_urls(self) -> list[Any]:
        """Without view_on_site: no model has a page outside the admin."""
        urls = [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]
        return [path("second_factor/", self.admin_view(self.second_factor), name="second_factor"), *urls]

    def admin_view(  # type: ignore[override]
        self, view: Callable[..., Any], cacheable: bool = False
    ) -> Callable[..., Any]:
        """Answer 400 to an unknown column or an impossible value in the URL, where Django would crash."""

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return view(*args, **kwargs)
            except (ValidationError, OverflowError, FieldDoesNotExist) as error:
                raise BadRequest("The URL has an invalid field or value.") from error

        return super().admin_view(guarded, cacheable)

    def register(self, model_or_iterable: Any, *args: Any, **kwargs: Any) -> None:
        """Skip django-otp's pages, which show the secrets; `manage.py second_factor` takes their place."""
        if getattr(model_or_iterable, "__module__", "").startswith("django_otp."):
            return
        super().register(model_or_iterable, *args, **kwargs)

    def second_factor(self, request: HttpRequest) -> HttpResponseBase:
        return SecondFactorView.as_view(extra_context=self.each_context(request))(request)

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Django's page with another form, which Django gives no option for."""
        context = {**self.each_context(request), **(extra_context or {})}
        return OwnPasswordView.as_view(extra_context=context)(request)
