"""Bulk actions: admin actions that ask for confirmation and change all selected rows or none.

    @admin.register(Session)
    class SessionAdmin(BoundedModelAdmin):
        actions = ["end"]

        @bulk_action("End", permission="end", done="ended")
        def end(self, request, sessions):
            return lock_and_apply(sessions, methodcaller("end", at=timezone.now()))

The method receives up to BATCH_SIZE rows at a time, and returns the rows that it changed. The page of a row
offers the actions that the admin lists in `page_actions`.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.admin.utils import model_ngettext
from django.contrib.auth import get_permission_codename
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.text import get_text_list

from todo_project.api.errors import ApiError

from .changelist import BoundedPaginator

MAX_ROWS = 10_000
"""An action is one transaction, and blocks the owners of all its rows until it ends."""
BATCH_SIZE = 1000
SAMPLE_SIZE = 10
"""Rows that the confirmation page lists."""

Condition = tuple[str, Callable[[Any, Any], Any]]
"""What completes "None of these tasks is …", and a function of the rows and the user that returns those."""
ALL: Condition = ("", lambda rows, user: rows)


@dataclass(frozen=True)
class BulkAction:
    """What @bulk_action makes of a method: Django calls it like any other admin action."""

    short_description: str
    method: Callable[..., Any]
    permission: str
    """The name of a permission, such as "accounts.end_session"; on the admin's own model "end" is enough."""
    done: str
    """Completes the message and the history entry: "3 tasks moved to the trash."."""
    question: str
    """Asks for the confirmation: "Move {} to the trash", with the number of rows."""
    only: Condition
    """The rows that the action changes. It is not offered where there are none."""
    warning: str
    tone: str
    """The color of the button: "" or, for what interrupts somebody, "caution". Deletions are "danger"."""
    flag: int
    read_only: bool
    """Changes nothing, so it takes any number of rows; the method returns the response."""
    form: type["ActionForm"] | None
    """Asks for values on the confirmation page."""

    def permission_on(self, options: Any) -> str:
        if "." in self.permission:
            return self.permission
        return f"{options.app_label}.{get_permission_codename(self.permission, options)}"

    @property
    def __name__(self) -> str:
        return self.method.__name__

    def __call__(
        self, model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponseBase | None:
        if self.read_only:
            count = BoundedPaginator(queryset, SAMPLE_SIZE).count
            if request.POST.get("confirmed") != str(count):
                return self.confirm(model_admin, request, queryset, count, token=str(count))
            selection = f"{count} {model_ngettext(model_admin.opts, count)}"
            self.log_entry(model_admin, request, selection, self.done).save()
            response: HttpResponseBase = self.method(model_admin, request, queryset)
            return response
        keys = [pk for *_, pk in sorted(queryset.values_list(*model_admin.lock_order)[: MAX_ROWS + 1])]
        if len(keys) > MAX_ROWS:
            model_admin.message_user(
                request,
                f"The selection has more than {MAX_ROWS:,} rows, the limit for an action. Nothing was "
                "changed. Narrow the list by a search or a filter.",
                messages.ERROR,
            )
            return None
        token = selection_digest(keys)
        if "confirmed" not in request.POST and not self.eligible(queryset, request.user).exists():
            model_admin.message_user(request, self.nothing_to_do(model_admin, len(keys)), messages.WARNING)
            return None
        is_confirmed = request.POST.get("confirmed") == token
        try:
            form = self.form(request.POST if is_confirmed else None, rows=queryset) if self.form else None
        except ApiError as error:
            return model_admin.show_error(request, error)
        if not is_confirmed or (form and not form.is_valid()):
            return self.confirm(model_admin, request, queryset, len(keys), token=token, form=form)
        return self.run(model_admin, request, keys, form)

    def confirm(
        self,
        model_admin: Any,
        request: HttpRequest,
        queryset: QuerySet[Any],
        count: int,
        *,
        token: str,
        form: "ActionForm | None" = None,
    ) -> HttpResponse:
        rows = self.eligible(queryset, request.user)
        number = count if self.only is ALL else rows.count()
        sample = list(rows[:SAMPLE_SIZE])
        owner_field = model_admin.owner_field
        across = request.POST.get("select_across") == "1"
        context = {
            **model_admin.admin_site.each_context(request),
            "question": self.question.format(f"{number} {model_ngettext(model_admin.opts, number)}"),
            "opts": model_admin.opts,
            "warning": self.warning,
            "tone": "danger" if self.flag == DELETION else self.tone,
            "action_name": self.__name__,
            "unchanged": self.unchanged(model_admin, count, count - number),
            "sample": [(row, getattr(row, owner_field) if owner_field else "") for row in sample],
            "remaining": type(count)(number - len(sample)),
            "also_affected": named_counts(model_admin.count_affected(self.__name__, queryset)),
            "form": form,
            "token": token,
            "selection_has_changed": request.POST.get("confirmed", token) != token,
            "select_across": across,
            # Django wants one selected row, even where it then takes all that match the filters.
            "keys": request.POST.getlist(ACTION_CHECKBOX_NAME)[: 1 if across else None],
            "checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)

    def eligible(self, rows: QuerySet[Any], user: Any) -> QuerySet[Any]:
        """Those of the rows that the action changes."""
        found: QuerySet[Any] = self.only[1](rows, user)
        return found

    def nothing_to_do(self, model_admin: Any, count: int) -> str:
        name = model_ngettext(model_admin.opts, count)
        subject = f"The {name} is not" if count == 1 else f"None of the {count:,} {name} is"
        return f"Nothing was changed. {subject} {self.only[0]}."

    def unchanged(self, model_admin: Any, count: int, number: int) -> str:
        if not number:
            return ""
        verbs = ("is", "stays") if number == 1 else ("are", "stay")
        selected = f"{count:,} selected {model_ngettext(model_admin.opts, count)}"
        return f"{number:,} of the {selected} {verbs[0]} not {self.only[0]}, and {verbs[1]} unchanged."

    def run(
        self, model_admin: Any, request: HttpRequest, keys: list[Any], form: "ActionForm | None"
    ) -> HttpResponseBase | None:
        """Change and log the rows batch by batch, in one transaction."""
        changed, values = 0, form.cleaned_data if form else {}
        done = self.done.format(form.summary) if form else self.done
        try:
            with transaction.atomic():
                for start in range(0, len(keys), BATCH_SIZE):
                    batch = model_admin.model._default_manager.filter(pk__in=keys[start : start + BATCH_SIZE])
                    rows = self.method(model_admin, request, batch, **values)
                    LogEntry.objects.bulk_create(
                        self.log_entry(model_admin, request, model_admin.history_name(row), done, row.pk)
                        for row in rows
                    )
                    changed += len(rows)
        except (ApiError, DatabaseError) as error:
            return model_admin.show_error(request, error)
        message = f"{changed:,} {model_ngettext(model_admin.opts, changed)} {done}."
        if unchanged := len(keys) - changed:
            message += f" {unchanged:,} {'was' if unchanged == 1 else 'were'} left unchanged."
        model_admin.message_user(request, message, messages.SUCCESS if changed else messages.WARNING)
        return None

    def log_entry(
        self, model_admin: Any, request: HttpRequest, object_repr: str, done: str, object_id: Any = None
    ) -> LogEntry:
        return LogEntry(
            user_id=request.user.pk,  # type: ignore[misc]  # staff have one
            content_type=ContentType.objects.get_for_model(model_admin.model),
            object_id=object_id,
            object_repr=object_repr[:200],
            action_flag=self.flag,
            change_message=f"{done[0].upper()}{done[1:]}.",
        )


class ActionForm(forms.Form):
    """The fields are the arguments of the action's method after the rows."""

    def __init__(self, data: Any, *, rows: QuerySet[Any]) -> None:
        super().__init__(data)

    @property
    def summary(self) -> str:
        """What was chosen: `{}` in the action's `done`."""
        raise NotImplementedError


def named_counts(counts: Mapping[type[Model], int]) -> str:
    """Such as "2 projects and 12 tasks"; empty if there are no rows."""
    names = [f"{count} {model_ngettext(model._meta, count)}" for model, count in counts.items() if count]
    return get_text_list(names, "and")


def bulk_action(
    label: str,
    *,
    permission: str,
    done: str,
    question: str = "",
    only: Condition = ALL,
    warning: str = "",
    tone: str = "",
    flag: int = CHANGE,
    read_only: bool = False,
    form: type[ActionForm] | None = None,
) -> Callable[[Callable[..., Any]], BulkAction]:
    return partial(
        BulkAction,
        label,
        permission=permission,
        done=done,
        question=question or f"{label} {{}}",
        only=only,
        warning=warning,
        tone=tone,
        flag=flag,
        read_only=read_only,
        form=form,
    )


def lock_and_apply(queryset: QuerySet[Any], change: Callable[[Any], object]) -> list[Any]:
    """Lock the rows, change them in one query, and return them as they were."""
    rows = list(queryset.order_by("pk").select_for_update(of=("self",)))
    if rows:
        change(queryset.model._default_manager.filter(pk__in=[row.pk for row in rows]))
    return rows


def selection_digest(keys: Iterable[Any]) -> str:
    """The rows that somebody has confirmed; it differs if the selection has changed since."""
    return hashlib.sha256(" ".join(sorted(map(str, keys))).encode()).hexdigest()
