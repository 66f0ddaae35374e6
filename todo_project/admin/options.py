"""What every list and every action of the admin has in common.

However many rows there are, a page asks a fixed number of questions, and an index answers each of them.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IS_POPUP_VAR, IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import DatabaseError, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html

from todo_project.api.error_handling import translate
from todo_project.api.errors import ApiError

from .search import SHORTEST

COUNTED = 1000
"""So far the rows of a list are counted, and so deep its pages go. Who looks for more narrows the list."""
AT_MOST = 10_000
"""So many rows one action takes: it is one transaction, and the owners of all of them wait for it."""
AT_ONCE = 1000
"""So many of them are in memory at a time."""
SAMPLE = 10


class CappedCount(int):
    """A number of rows that were not counted to the end."""

    def __str__(self) -> str:
        return f"{int(self)}+"


class BoundedPaginator(Paginator):
    """Counts up to a bound: a COUNT of everything would read everything, on each page."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        # In the list's order, and so by its index; without one, the table might be read from its start.
        counted = rows.values("pk")[: COUNTED + 1].count()
        return counted if counted <= COUNTED else CappedCount(COUNTED)


class FixedOrderChangeList(ChangeList):
    """A list in the order that its filters gave it: a column's heading would ask for a sort of all rows."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return list(queryset.query.order_by)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        columns = getattr(self.model_admin, "list_columns", ())
        return rows.only(*columns) if columns else rows


class BelongsTo(admin.SimpleListFilter):
    """One person's rows. It is offered where it is in use: a select of all persons would grow with them."""

    title = "owner"
    parameter_name = "owner"
    field = "owner"
    ordering: tuple[str, ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value()
        if not value:
            return []
        try:
            person = get_user_model().objects.filter(pk=value).first()
        except ValidationError as error:
            raise IncorrectLookupParameters(error) from error
        return [(value, str(person or "nobody"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        rows = queryset.filter(**{self.field: self.value()})
        return rows.order_by(*self.ordering) if self.ordering else rows


@dataclass(frozen=True)
class BulkAction:
    """What may be done with many rows at once, after a page that asks whether it is meant."""

    label: str
    permission: str
    done: str
    """As the history and the message say it: "moved to the trash"."""
    run: Callable[[HttpRequest, list[Any]], Iterable[Sequence[Model]]] | None = None
    """Takes the keys; gives the rows that it changed, some at a time."""
    answer: Callable[[Any], HttpResponseBase] | None = None
    """Instead: changes nothing, and so takes any number of rows."""
    warning: str = ""
    flag: int = CHANGE

    @property
    def sentence(self) -> str:
        return f"{self.done[:1].upper()}{self.done[1:]}."


class SingleLineField(forms.CharField):
    """A text of one line. A browser leaves out the ends of lines that it holds, which is no change."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        shown = re.sub(r"[\r\n]", "", initial or "")
        return super().has_changed(initial, data) and super().has_changed(self.to_python(shown), data)


class ValidatedAutocomplete(AutocompleteSelect):
    """Shows again what was chosen; Django looks for that in the database even if it is no key."""

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> Any:
        return super().optgroups(name, [one for one in value if self._is_key(one)], attrs)

    def _is_key(self, value: str) -> bool:
        try:
            self.field.target_field.to_python(value)
        except ValidationError:
            return False
        return True


class StaffAdmin(admin.ModelAdmin):
    """A page of the admin that does not grow with the number of rows."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    list_columns: Sequence[str] = ()
    """What a list reads of each row; everything, if none are named."""
    bulk_actions: dict[str, BulkAction] = {}
    person = ""
    """The field that names whose row it is."""

    @admin.display(description="owner", empty_value="nobody")
    def person_link(self, row: Any) -> str:
        person = getattr(row, self.person)
        return format_html('<a href="{}">{}</a>', page_of(person), person) if person else ""

    @admin.display(description="owner")
    def person_text(self, row: Any) -> str:
        return str(getattr(row, self.person))

    def person_field(self, request: HttpRequest) -> str:
        """Who may not see the person's page gets no link to it."""
        may = request.user.has_perm(view_permission(get_user_model()))
        return "person_link" if may else "person_text"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FixedOrderChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what a filter of the list asks: Django allows every column, a hash by its beginning too."""
        filters = self.list_filter
        own = {
            one.parameter_name for one in filters if isinstance(one, type) and hasattr(one, "parameter_name")
        }
        column, _, how = lookup.partition("__")
        return lookup in own or (
            column in {one for one in filters if isinstance(one, str)}
            and how in {"", "gte", "lt", "isnull", "exact"}
        )

    def reject_search(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Words that no index knows. A field that looks for rows as one types does not say so."""
        on_a_list = request.resolver_match and request.resolver_match.url_name != "autocomplete"
        if on_a_list and request.method == "GET":
            self.message_user(request, f"Search for {SHORTEST} letters or more.", messages.WARNING)
        return rows.none()

    # What may be written

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs["widget"] = ValidatedAutocomplete(db_field, self.admin_site, using=kwargs.get("using"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """What the database refuses, although the form had let it pass, is told and not a crash."""
        if "_saveasnew" in request.POST:  # Django heeds it although no page offers it.
            raise BadRequest("Nothing is copied here.")
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
        """Whoever can do better hears how; what is our fault, or the database's, goes on as an error."""
        refusal = translate(error)
        if refusal.status_code >= 500:
            raise error
        self.message_user(request, f"Nothing was changed. {refusal.message}", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    # Actions

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Those that this person may run; Django's own, which deletes, is not among them."""
        if IS_POPUP_VAR in request.GET:
            return {}
        return {
            name: (_ask_or_run(action, name), name, action.label)
            for name, action in self.bulk_actions.items()
            if request.user.has_perm(action.permission)
        }

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST":
            self.check_form(request)
        return super().changelist_view(request, extra_context)

    def check_form(self, request: HttpRequest) -> None:
        """A form that this list did not offer changes nothing."""
        allowed = self.get_actions(request)
        for name in request.POST.getlist("action"):
            if name and name not in allowed:
                raise PermissionDenied
        for key in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                self.opts.pk.clean(key, None)
            except ValidationError as error:
                raise BadRequest("This is not a key of such a row.") from error

    def ask_or_run(
        self, request: HttpRequest, action: BulkAction, name: str, rows: QuerySet[Any]
    ) -> HttpResponseBase | None:
        if action.answer is not None:
            count = BoundedPaginator(rows, SAMPLE).count
            if request.POST.get("confirmed") != str(count):
                return self.ask(request, action, name, rows, count, str(count))
            self.note(request, f"{count} {self.noun(count)}", action)
            return action.answer(rows)
        chosen = list(rows.values_list("pk", flat=True)[: AT_MOST + 1])
        if len(chosen) > AT_MOST:
            self.message_user(
                request,
                f"That is more than {AT_MOST:,}, which is too much for one action. Narrow the list by a "
                "search or a filter. Nothing was changed.",
                messages.ERROR,
            )
            return None
        if request.POST.get("confirmed") != seal(chosen):
            return self.ask(request, action, name, rows, len(chosen), seal(chosen))
        try:
            with transaction.atomic():
                changed = self.run(request, action, chosen)
        except (ApiError, DatabaseError) as error:
            return self.show_error(request, error)
        unchanged = len(chosen) - changed
        told = f"{changed:,} {self.noun(changed)} {action.done}."
        if unchanged:
            told += f" {unchanged:,} {'was' if unchanged == 1 else 'were'} left as before."
        self.message_user(request, told, messages.SUCCESS if changed else messages.WARNING)
        return None

    def ask(
        self, request: HttpRequest, action: BulkAction, name: str, rows: QuerySet[Any], count: int, asked: str
    ) -> HttpResponse:
        sample = list(rows[:SAMPLE])
        across = request.POST.get("select_across") == "1"
        context = {
            **self.admin_site.each_context(request),
            "title": action.label,
            "opts": self.opts,
            "action": action,
            "name": name,
            "count": str(count),
            "asked": asked,
            "noun": self.noun(count),
            "sample": [(row, getattr(row, self.person) if self.person else "") for row in sample],
            "more": CappedCount(count - len(sample))
            if isinstance(count, CappedCount)
            else count - len(sample),
            # They are not those that were asked about: somebody else has added or taken away.
            "changed_meanwhile": "confirmed" in request.POST,
            "select_across": across,
            # One is enough to tell Django that something is chosen; the filters of the URL choose all.
            "keys": request.POST.getlist(ACTION_CHECKBOX_NAME)[: 1 if across else None],
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)

    def run(self, request: HttpRequest, action: BulkAction, chosen: list[Any]) -> int:
        """The verb and its lines in the history, some rows at a time."""
        changed = 0
        for rows in action.run(request, chosen) if action.run else ():
            LogEntry.objects.bulk_create(self.history_entry(request, row, action) for row in rows)
            changed += len(rows)
        return changed

    def history_entry(self, request: HttpRequest, row: Model, action: BulkAction) -> LogEntry:
        return LogEntry(
            user_id=user_id(request),
            content_type=ContentType.objects.get_for_model(row),
            object_id=row.pk,
            object_repr=self.history_name(row)[:200],
            action_flag=action.flag,
            change_message=action.sentence,
        )

    def history_name(self, row: Any) -> str:
        """What the history calls it."""
        return str(row)

    def note(self, request: HttpRequest, what: str, action: BulkAction) -> None:
        """One line in the history for all, where nothing was changed."""
        LogEntry.objects.create(
            user_id=user_id(request),
            content_type=ContentType.objects.get_for_model(self.model),
            object_repr=what,
            action_flag=action.flag,
            change_message=action.sentence,
        )

    def noun(self, count: int) -> str:
        return str(self.opts.verbose_name if count == 1 else self.opts.verbose_name_plural)


def _ask_or_run(action: BulkAction, name: str) -> Callable[..., HttpResponseBase | None]:
    def run(model_admin: StaffAdmin, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponseBase | None:
        return model_admin.ask_or_run(request, action, name, rows)

    return run


class ReadOnlyAdmin:
    """Staff look and, by an action, end; they do not write."""

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any) -> bool:
        return False


class Latest(ReadOnlyAdmin, admin.TabularInline):
    """A person's latest few of something, to look at, each with a link to its page."""

    show_change_link = True
    extra = 0
    AT_MOST = 10
    shown: tuple[str, ...] = ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*self.shown]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [*self.shown]

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)

        class Few(formset):  # type: ignore[misc, valid-type]
            def get_queryset(self) -> Any:
                if not hasattr(self, "_queryset"):
                    self._queryset = super().get_queryset()[: Latest.AT_MOST]
                return self._queryset

        return Few


def seal(keys: list[Any]) -> str:
    """These rows, and no others."""
    return hashlib.sha256(" ".join(sorted(map(str, keys))).encode()).hexdigest()


def view_permission(model: Any) -> str:
    return f"{model._meta.app_label}.view_{model._meta.model_name}"


def page_of(thing: Any) -> str:
    return reverse(f"admin:{thing._meta.app_label}_{thing._meta.model_name}_change", args=[thing.pk])


def user_id(request: HttpRequest) -> Any:
    return request.user.pk


def in_chunks(keys: Iterable[Any]) -> Iterator[list[Any]]:
    """So many that a chunk costs a fixed number of queries, and little memory."""
    rest = iter(keys)
    while chunk := list(islice(rest, AT_ONCE)):
        yield chunk
