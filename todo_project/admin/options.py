"""The base of the project's ModelAdmins."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import DatabaseError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from todo_project.api.error_handling import translate
from todo_project.api.errors import ApiError

from .actions import BulkAction
from .changelist import BoundedPaginator, FixedOrderChangeList, bounded_counts
from .forms import ValidatedAutocomplete
from .permissions import checked_permission


class BoundedModelAdmin(admin.ModelAdmin):
    """Each page makes a fixed number of queries for any number of rows, and an index serves each of them."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    list_columns: Sequence[str] = ()
    """Columns that the change list selects; all, if empty."""
    lock_order: Sequence[str] = ("pk",)
    """Columns by which a bulk action sorts its rows. The last one is pk."""
    menu_order = 50
    useless_actions: ClassVar[Mapping[str, Collection[str]]] = {}
    """Actions that would change nothing in a list with a filter, such as "state=open"."""
    page_actions: Sequence[str] = ()
    """Bulk actions that the page of a row offers, too."""
    # Its class lets the narrow layout leave it out.
    empty_value_display = '<span class="empty">-</span>'
    owner_field = ""
    """The foreign key to the user who owns the row."""

    def __init__(self, model: Any, admin_site: Any) -> None:
        super().__init__(model, admin_site)
        self.action_permissions = {
            name: checked_permission(action.permission_on(self.opts))
            for name in self.actions or ()
            if isinstance(action := getattr(self, str(name), None), BulkAction)
        }

    # The owner

    @admin.display(description="owner", empty_value="nobody")
    def owner_link(self, row: Any) -> str:
        owner = getattr(row, self.owner_field)
        if owner is None:
            return ""
        meta = owner._meta
        page = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[owner.pk])
        return format_html('<a href="{}">{}</a>', page, owner)

    @admin.display(description="owner")
    def owner_text(self, row: Any) -> str:
        return str(getattr(row, self.owner_field))

    def owner_display(self, request: HttpRequest) -> str:
        """A link, unless the user may not view the page that it leads to."""
        users = self.admin_site.get_model_admin(get_user_model())
        return "owner_link" if users.has_view_permission(request) else "owner_text"

    # The change list

    def action_checkbox(self, row: Any) -> SafeString:
        """As Django's, which renders a template for each row: a third of the time of a list."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" '
            'aria-label="Select this object for an action - {}">',
            ACTION_CHECKBOX_NAME,
            row.pk,
            row,
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FixedOrderChangeList

    def add_related(self, rows: list[Any]) -> None:
        """Add to the rows of a page what one query reads for all of them."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what list_filter offers. Django allows all columns: a hash could be guessed by its prefix."""
        parameters = {getattr(entry, "parameter_name", None) for entry in self.list_filter}
        columns = {entry for entry in self.list_filter if isinstance(entry, str)}
        column, _, operator = lookup.partition("__")
        return lookup in parameters or (
            column in columns and operator in {"", "gte", "lt", "isnull", "exact"}
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return self.search(request, queryset, term) if term else queryset, False

    def search(self, request: HttpRequest, rows: Any, term: str) -> QuerySet[Any]:
        """The rows that an index finds; for admins with search_fields."""
        raise NotImplementedError

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            self.check_action_form(request)
        return super().changelist_view(request, *args, **kwargs)

    # The page of a row

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.action_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_action"
        return [path("<path:object_id>/action/<slug:action>/", view, name=name), *super().get_urls()]

    def action_view(self, request: HttpRequest, object_id: str, action: str) -> HttpResponseBase:
        """Ask for confirmation of an action on one row, and run it."""
        allowed = self.get_actions(request) if self.has_view_permission(request) else ()
        if action not in self.page_actions or action not in allowed:
            raise PermissionDenied
        rows = self.get_queryset(request).filter(pk=unquote(object_id))
        if not rows.exists():
            raise Http404
        response: HttpResponseBase | None = getattr(self, action)(self, request, rows)
        if response is not None:
            return response
        names = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        if rows.exists():
            return redirect(f"{names}_change", object_id)
        return redirect(f"{names}_changelist")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        context["page_actions"] = self.actions_for(request, row) if row else []
        return super().render_change_form(request, context, *args, **kwargs)

    def actions_for(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        """Those of `page_actions` that would change the row."""
        allowed = self.get_actions(request)
        actions = [(name, getattr(self, name)) for name in self.page_actions if name in allowed]
        rows = self.model._default_manager.filter(pk=row.pk)
        counts = bounded_counts([action.eligible(rows, request.user) for _, action in actions])
        return [
            (name, action.short_description)
            for (name, action), count in zip(actions, counts, strict=True)
            if count
        ]

    # Forms

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", ValidatedAutocomplete(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "_saveasnew" in request.POST:  # Django obeys it even if save_as is off.
            raise BadRequest("Saving as new is not supported.")
        try:
            return super().changeform_view(request, *args, **kwargs)
        except (ApiError, DatabaseError) as error:
            return self.show_error(request, error)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().delete_view(request, *args, **kwargs)
        except (ApiError, DatabaseError) as error:
            return self.show_error(request, error)

    def show_error(self, request: HttpRequest, error: Exception) -> HttpResponseRedirect:
        """Show what the user can correct as a message; raise any other error again."""
        api_error = translate(error, request.method)
        if api_error.status_code >= 500:
            raise error
        self.message_user(request, f"Nothing was changed. {api_error.message}", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    # Actions

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        return {
            name: entry
            for name, entry in actions.items()
            if name not in self.action_permissions or request.user.has_perm(self.action_permissions[name])
        }

    def get_action_choices(self, request: HttpRequest, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        filters = [f"{name}={value}" for name, value in request.GET.items()]
        useless = {name for each in filters for name in self.useless_actions.get(each, ())}
        choices = super().get_action_choices(request, *args, **kwargs)
        return [(name, label) for name, label in choices if name not in useless]

    def check_action_form(self, request: HttpRequest) -> None:
        """Django ignores an action that it did not offer, and crashes on an invalid key."""
        allowed = self.get_actions(request)
        if any(name and name not in allowed for name in request.POST.getlist("action")):
            raise PermissionDenied
        for key in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                self.opts.pk.clean(key, None)
            except ValidationError as error:
                raise BadRequest("A selected key is invalid.") from error

    def count_affected(self, action: str, queryset: Any) -> dict[type[Model], int]:
        """The number of other rows that an action on these rows changes."""
        return {}

    def history_name(self, row: Any) -> str:
        """The name of the row in history entries of bulk actions."""
        return str(row)


class ReadOnlyAdmin:
    """Rows that staff can view and change only through actions."""

    def has_add_permission(self, *args: Any) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission
