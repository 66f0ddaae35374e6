"""The admin site: staff sign in, and change their own password."""

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
from django.template.response import TemplateResponse
from django.urls import reverse_lazy
from django.utils import timezone

from todo_project.admin.dashboard import snapshots_for
from todo_project.admin.options import BoundedModelAdmin

from .forms import GuardedLoginForm, OwnPasswordForm


class OwnPasswordView(PasswordChangeView):
    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")
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
        return HttpResponseRedirect(self.get_success_url())


class StaffSite(AdminSite):
    site_header = site_title = "Todo administration"
    index_title = "Dashboard"
    login_form = GuardedLoginForm

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
        return [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]

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

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """Django's page with another form, which Django gives no option for."""
        context = {**self.each_context(request), **(extra_context or {})}
        return OwnPasswordView.as_view(extra_context=context)(request)
