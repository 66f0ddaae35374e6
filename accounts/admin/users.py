"""Users: search, edit, deactivate, sign out, erase."""

from datetime import datetime
from operator import methodcaller
from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.db import connection, transaction
from django.db.models import QuerySet
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from accounts import erasure
from accounts.forms import SetPasswordForm, UserChangeForm, UserCreationForm
from accounts.models import Session, User
from todo_project.admin.actions import bulk_action, lock_and_apply
from todo_project.admin.changelist import ChoiceFilter, bounded_counts
from todo_project.admin.inlines import user_inlines
from todo_project.admin.options import BoundedModelAdmin
from todo_project.admin.search import indexed_words, parse_uuid, reject_search


class StatusFilter(ChoiceFilter):
    title = parameter_name = "status"
    CHOICES = {
        "staff": ("Staff", lambda users: users.staff()),
        "superusers": ("Superusers", lambda users: users.staff().filter(is_superuser=True)),
        "deactivated": ("Deactivated", lambda users: users.filter(is_active=False)),
    }


@admin.register(User)
class UserAdmin(BoundedModelAdmin, auth_admin.UserAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = SetPasswordForm
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]
    fieldsets = [
        (None, {"fields": ["email", "name", "time_zone", "id", "sign_in_method"]}),
        ("Permissions", {"fields": ["is_active", "is_staff", "is_superuser", "groups"]}),
        ("Dates", {"fields": ["created_at", "last_login"]}),
    ]
    readonly_fields = ["id", "sign_in_method", "created_at", "last_login"]
    filter_horizontal = []
    menu_order = 10
    ordering = ["-created_at", "-pk"]
    list_display = ["__str__", "name", "is_active", "is_staff", "created_at", "last_login"]
    list_columns = ["email", "name", "is_active", "is_staff", "created_at", "last_login"]
    list_filter = [StatusFilter, "created_at"]
    search_fields = ["email"]
    search_help_text = "Search by part of an email or name (3+ letters), or by user ID."
    actions = page_actions = ["end_sessions", "deactivate"]
    useless_actions = {"status=deactivated": ["deactivate"]}

    @bulk_action(
        "End sessions",
        permission="accounts.end_session",
        done="signed out of all apps",
        question="End the sessions of {}",
        only=("signed in to an app", lambda users, user: signed_in(users, at=timezone.now())),
        tone="caution",
        warning="All apps and devices of these users have to sign in again. Personal tokens and sign-ins to "
        "this admin stay valid.",
    )
    def end_sessions(self, request: HttpRequest, users: Any) -> list[User]:
        now = timezone.now()
        changed = list(signed_in(users, at=now))
        Session.objects.live(at=now).filter(user__in=users).end(at=now)
        return changed

    @bulk_action(
        "Deactivate",
        permission="accounts.change_user",
        done="deactivated",
        only=("an active account that you can manage", lambda users, user: manageable(users.active(), user)),
        tone="caution",
        warning="These users are signed out immediately, and cannot sign in until they are activated again.",
    )
    def deactivate(self, request: HttpRequest, users: Any) -> list[User]:
        return lock_and_apply(manageable(users.active(), request.user), methodcaller("deactivate"))

    def search(self, request: HttpRequest, rows: Any, term: str) -> QuerySet[User]:
        if key := parse_uuid(term):
            return rows.filter(pk=key)
        exact = rows.filter(email=term.lower())
        if "@" in term and exact.exists():
            return exact
        words = indexed_words(term)
        return rows.found_by(words) if words else reject_search(self, request, rows)

    # The page of a user

    @admin.display(description="signs in with")
    def sign_in_method(self, user: User) -> str:
        return "email and password" if user.has_usable_password() else "an identity provider, or not at all"

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """There are only a few roles."""
        kwargs["widget"] = CheckboxSelectMultiple
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[Any]:
        """Read-only, so a POST does not need them; their rows may have changed by then."""
        if obj is None or request.method == "POST":
            return []
        return sorted(
            user_inlines.values(),
            key=lambda inline: self.admin_site.get_model_admin(inline.model).menu_order,  # type: ignore[attr-defined]
        )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Only superusers grant permissions; nobody can deactivate or demote themselves."""
        fixed = [] if request.user.is_superuser else ["is_staff", "is_superuser", "groups"]
        if obj == request.user:
            fixed = ["is_active", "is_staff", "is_superuser", "groups"]
        return [*self.readonly_fields, *fixed] if obj else []

    def get_form(self, request: HttpRequest, obj: User | None = None, *args: Any, **kwargs: Any) -> Any:
        """Nobody can remove the email that they sign in with."""
        form: Any = super().get_form(request, obj, *args, **kwargs)
        if obj == request.user and "email" in form.base_fields:
            form.base_fields["email"].required = True
        return form

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and can_manage(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj) and can_manage(request.user, obj)
        return allowed and obj != request.user

    def get_inline_formsets(self, request: HttpRequest, formsets: Any, *args: Any, **kwargs: Any) -> Any:
        """With the number of all rows of each."""
        shown = super().get_inline_formsets(request, formsets, *args, **kwargs)
        rows = [each.model._default_manager.filter(**{each.fk.name: each.instance}) for each in formsets]
        for formset, count in zip(shown, bounded_counts(rows), strict=True):
            formset.count = count
        return shown

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> User | None:
        """Lock the row before it is read for a change. An erasure takes its own locks, in its own order."""
        erases = request.resolver_match and request.resolver_match.url_name == "accounts_user_delete"
        if request.method == "POST" and connection.in_atomic_block and not erases:
            User.objects.select_for_update(no_key=True).filter(pk=object_id).first()
        return super().get_object(request, object_id, from_field)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The number of rows of each model that has a page. Django's own list would load them all."""
        [user] = objs
        named = {str(model._meta.verbose_name_plural) for model in self.admin_site._registry}
        owned = {name: count for name, count in erasure.count_owned(user).items() if name in named}
        return [str(user)], {str(self.opts.verbose_name): 1, **owned}, set(), []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """History entries of a staff member stay, without their name."""
        erasure.erase(obj)

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        if request.user.is_superuser and id == str(request.user.pk):
            return redirect("admin:password_change")
        return super().user_change_password(request, id, form_url)


def signed_in(users: Any, *, at: datetime) -> Any:
    return users.filter(pk__in=Session.objects.live(at=at).values("user"))


def manageable(users: Any, manager: Any) -> Any:
    """Nobody can deactivate themselves, and only superusers can deactivate staff."""
    others = users.exclude(pk=manager.pk)
    return others if manager.is_superuser else others.filter(is_staff=False, is_superuser=False)


def can_manage(manager: Any, user: User | None) -> bool:
    """Only superusers manage staff: anyone who can set a password can sign in with it."""
    return bool(manager.is_superuser or user is None or not (user.is_staff or user.is_superuser))
