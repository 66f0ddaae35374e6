"""People in the admin, and what proves who they are. Secrets and their hashes are on no page."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import DELETION
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string

from todo_project.admin.options import (
    BelongsTo,
    BulkAction,
    Latest,
    ReadOnlyAdmin,
    SingleLineField,
    StaffAdmin,
    in_chunks,
)
from todo_project.admin.search import searchable

from . import erasure
from .models import FailedLogin, Identity, PersonalToken, Session, User


class CreationForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ["email", "name"]
        # The stock form wants a username field here.
        field_classes: dict[str, type] = {}


class PersonForm(forms.ModelForm):
    """Sends what was looked at as well: what a colleague has changed since the page was opened stays."""

    class Meta:
        field_classes = {"name": SingleLineField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True
        if self.is_bound and "groups" in self.fields:
            # Where there were none the page has nothing to send, and Django would take what was chosen.
            sent: Any = self.data
            self.data = sent = sent.copy()
            sent.setlistdefault(self.add_initial_prefix("groups"), [])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        return {name: value for name, value in cleaned.items() if name in self.changed_data}


class PasswordForm(AdminPasswordChangeForm):
    """As everywhere: whoever knew the old password is out."""

    def set_password_and_save(self, user: User, *args: Any, **kwargs: Any) -> User:
        super().set_password_and_save(user, *args, **kwargs)  # type: ignore[misc]
        Session.objects.for_user(user).end(at=timezone.now())
        return user


class RoleFilter(admin.SimpleListFilter):
    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("staff", "Staff"), ("superusers", "Superusers"), ("deactivated", "Deactivated")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        match self.value():
            case "staff":
                return queryset.staff()
            case "superusers":
                return queryset.staff().filter(is_superuser=True)
            case "deactivated":
                return queryset.filter(is_active=False)
        return queryset


class ExpiryFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", "Live"), ("expired", "Expired")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        match self.value():
            case "live":
                return queryset.live(at=timezone.now())
            case "expired":
                return queryset.expired(at=timezone.now())
        return queryset


class UserFilter(BelongsTo):
    field = "user"
    ordering = ("-created_at", "-pk")


def some(rows: Any, verb: Callable[[Any], Any]) -> list[Any]:
    """Lock these, do it to all in one query, and give them back for the history."""
    found = list(rows.order_by("pk").select_for_update(of=("self",)))
    if found:
        verb(rows.model.objects.filter(pk__in=[row.pk for row in found]))
    return found


def deactivate(request: HttpRequest, chosen: list[uuid.UUID]) -> Iterator[list[User]]:
    """Nobody puts themselves out, and only a superuser puts out staff."""
    within = User.objects.active().exclude(pk=request.user.pk)
    if not request.user.is_superuser:
        within = within.filter(is_staff=False, is_superuser=False)
    for keys in in_chunks(sorted(chosen)):
        yield some(within.filter(pk__in=keys), lambda people: people.deactivate())


def end_sessions_of(request: HttpRequest, chosen: list[uuid.UUID]) -> Iterator[list[User]]:
    """All that they are signed in with; who is not signed in is not changed."""
    now = timezone.now()
    for keys in in_chunks(sorted(chosen)):
        live = Session.objects.live(at=now).filter(user__in=keys)
        people = list(User.objects.filter(pk__in=live.values("user")))
        live.end(at=now)
        yield people


def end_sessions(request: HttpRequest, chosen: list[uuid.UUID]) -> Iterator[list[Session]]:
    now = timezone.now()
    for keys in in_chunks(sorted(chosen)):
        live = Session.objects.live(at=now).filter(pk__in=keys)
        yield some(live, lambda sessions: sessions.end(at=now))


def delete(model: Any) -> Any:
    def run(request: HttpRequest, chosen: list[Any]) -> Iterator[list[Any]]:
        for keys in in_chunks(sorted(chosen)):
            yield some(model.objects.filter(pk__in=keys), lambda rows: rows.delete())

    return run


@admin.register(User)
class UserAdmin(StaffAdmin, auth_admin.UserAdmin):
    form = PersonForm
    add_form = CreationForm
    change_password_form = PasswordForm
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]
    fieldsets = [
        (None, {"fields": ["email", "name", "id", "signs_in_with"]}),
        ("May", {"fields": ["is_active", "is_staff", "is_superuser", "groups"]}),
        ("When", {"fields": ["created_at", "last_login"]}),
    ]
    readonly_fields = ["id", "signs_in_with", "created_at", "last_login"]
    filter_horizontal = ["groups"]
    ordering = ["-created_at", "-pk"]
    list_display = ["__str__", "name", "is_active", "is_staff", "created_at", "last_login"]
    list_columns = ["email", "name", "is_active", "is_staff", "created_at", "last_login"]
    list_filter = [RoleFilter, "created_at"]
    search_fields = ["email"]
    search_help_text = "Parts of the email or of the name, three letters or more; or the person's id."
    bulk_actions = {
        "end_sessions": BulkAction(
            "End sessions",
            "accounts.end_session",
            "signed out of all apps",
            end_sessions_of,
            warning="Every app and device of theirs has to sign in again. Personal tokens stay good, "
            "and so does a browser that is signed in to this admin.",
        ),
        "deactivate": BulkAction(
            "Deactivate",
            "accounts.change_user",
            "deactivated",
            deactivate,
            warning="They are out at once, and cannot sign in until they are activated again.",
        ),
    }

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[User], bool]:
        term = search_term.strip()
        try:
            return queryset.filter(pk=uuid.UUID(term)), False
        except ValueError:
            pass
        exactly = queryset.filter(email=term.lower())
        if "@" in term and exactly.exists():
            return exactly, False
        if not term:
            return queryset, False
        words = searchable(term)
        return queryset.found_by(words) if words else self.reject_search(request, queryset), False

    # A person's page

    @admin.display(description="signs in with")
    def signs_in_with(self, user: User) -> str:
        return "email and password" if user.has_usable_password() else "an outside issuer, or not at all"

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[Any]:
        """To look at only. A form that is sent has no need of them, and the rows may be others by then."""
        if obj is None or request.method == "POST":
            return []
        return [import_string(path) for path in settings.SHOWN_WITH_USER]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Only a superuser tells who is staff, and what staff may do; nobody puts themselves out."""
        fixed = [] if request.user.is_superuser else ["is_staff", "is_superuser", "groups"]
        if obj == request.user:
            fixed = ["is_active", "is_staff", "is_superuser", "groups"]
        return [*self.readonly_fields, *fixed] if obj else []

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Nobody takes their own login away."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        if obj == request.user and "email" in form.base_fields:
            form.base_fields["email"].required = True
        return form

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and is_beneath(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return (
            super().has_delete_permission(request, obj) and is_beneath(request, obj) and obj != request.user
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        lists = [
            (f"All {meta.verbose_name_plural}", f"admin:{meta.app_label}_{meta.model_name}_changelist")
            for meta in (import_string(path).model._meta for path in settings.SHOWN_WITH_USER)
            if request.user.has_perm(f"{meta.app_label}.view_{meta.model_name}")
        ]
        links = [(label, f"{reverse(name)}?owner={object_id}") for label, name in lists]
        return super().change_view(request, object_id, form_url, {"lists_of_theirs": links})

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> User | None:
        """Who is about to be written stays as they are read; an erasure takes its locks by itself."""
        erases = request.resolver_match and request.resolver_match.url_name == "accounts_user_delete"
        if request.method == "POST" and connection.in_atomic_block and not erases:
            User.objects.select_for_update(no_key=True).filter(pk=object_id).first()
        return super().get_object(request, object_id, from_field)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """How many of each go too. To list them, as Django does, would load them all."""
        [person] = objs
        return [str(person)], {self.noun(1): 1, **erasure.count_owned(person)}, set(), []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """As everywhere: what they did as staff stays on record, in nobody's name."""
        erasure.erase(obj)

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        if request.user.is_superuser and id == str(request.user.pk):
            return redirect("admin:password_change")
        return super().user_change_password(request, id, form_url)


def is_beneath(request: HttpRequest, person: User | None) -> bool:
    """Staff are written by superusers only: whoever sets another's password can sign in as them."""
    return bool(request.user.is_superuser or person is None or not (person.is_staff or person.is_superuser))


admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(auth_admin.GroupAdmin):
    """Who writes a role gives rights, to themselves too. That is a superuser's."""

    actions = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)

    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)


class AnonymousHistory(StaffAdmin):
    """What tells of a person, and may be gone before them: no word of it stays in the history."""

    def history_name(self, row: Any) -> str:
        return f"{self.noun(1)} {row.pk}"


class CredentialAdmin(ReadOnlyAdmin, AnonymousHistory):
    """What proves who somebody is: to look at, and to end."""

    person = "user"
    told: list[str] = []
    """In the list."""
    shown: list[str] = []
    """On the page."""
    list_select_related = ["user"]
    search_fields = ["user__email"]
    search_help_text = "The whole email of a person, their id, or the id of the row."

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self.person_field(request), *self.told]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [self.person_field(request), *self.shown]

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        try:
            key = uuid.UUID(term)
        except ValueError:
            return queryset.filter(user__email=term.lower()) if term else queryset, False
        return queryset.filter(Q(pk=key) | Q(user=key)), False


@admin.register(Session)
class SessionAdmin(CredentialAdmin):
    told = ["address", "user_agent", "created_at", "last_used_at", "ended_at"]
    list_columns = [*told, "user__email", "user__name"]
    list_filter = [ExpiryFilter, UserFilter]
    shown = ["id", "user_agent", "address", "created_at", "last_used_at", "expires_at", "ended_at"]
    # A session expires so long after its last use: this is the order of use.
    ordering = ["-expires_at", "-pk"]
    bulk_actions = {
        "end": BulkAction(
            "End",
            "accounts.end_session",
            "ended",
            end_sessions,
            warning="Whoever uses them has to sign in again.",
        )
    }


@admin.register(PersonalToken)
class PersonalTokenAdmin(CredentialAdmin):
    told = ["name", "scopes", "created_at", "last_used_at", "expires_at"]
    list_columns = [*told, "user__email", "user__name"]
    list_filter = [ExpiryFilter, UserFilter]
    shown = ["id", "name", "scopes", "created_at", "last_used_at", "expires_at"]
    ordering = ["-expires_at", "-pk"]
    bulk_actions = {
        "revoke": BulkAction(
            "Revoke",
            "accounts.revoke_personaltoken",
            "revoked",
            delete(PersonalToken),
            warning="Scripts that use them stop at once. A revoked token cannot be brought back.",
            flag=DELETION,
        )
    }


@admin.register(Identity)
class IdentityAdmin(CredentialAdmin):
    told = ["issuer", "subject", "email", "created_at"]
    list_columns = [*told, "user__email", "user__name"]
    list_filter = [UserFilter]
    shown = ["id", "issuer", "subject", "email", "created_at"]
    ordering = ["-created_at", "-pk"]
    bulk_actions = {
        "unlink": BulkAction(
            "Unlink",
            "accounts.delete_identity",
            "unlinked",
            delete(Identity),
            warning="Who signs in with one of these again gets a new, empty account.",
            flag=DELETION,
        )
    }


@admin.register(FailedLogin)
class FailedLoginAdmin(ReadOnlyAdmin, AnonymousHistory):
    list_display = ["at", "email", "address"]
    list_display_links = None
    list_filter = ["at"]
    search_fields = ["email"]
    search_help_text = "The whole email, or the whole address."
    ordering = ["-at", "-pk"]
    fields = ["at", "email", "address"]
    bulk_actions = {
        "forget": BulkAction(
            "Forget",
            "accounts.delete_failedlogin",
            "forgotten",
            delete(FailedLogin),
            warning="Failures that are forgotten no longer count against who tries again.",
            flag=DELETION,
        )
    }

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[FailedLogin], bool]:
        term = search_term.strip()
        return queryset.filter(Q(email=term.lower()) | Q(address=term)) if term else queryset, False


class LatestSessions(Latest):
    model = Session
    verbose_name_plural = "latest sessions"
    shown = ("address", "user_agent", "last_used_at", "ended_at")
    ordering = ["-created_at", "-pk"]


class LatestTokens(Latest):
    model = PersonalToken
    shown = ("scopes", "created_at", "last_used_at", "expires_at")
    ordering = ["-created_at", "-pk"]


class LatestIdentities(Latest):
    model = Identity
    shown = ("email", "created_at")
    ordering = ["-created_at", "-pk"]
