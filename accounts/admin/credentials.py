"""Sessions, personal tokens, identities and failed logins: staff view and end them, but do not edit them."""

from operator import methodcaller
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import DELETION
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import FailedLogin, Identity, PersonalToken, Session
from todo_project.admin.actions import bulk_action, lock_and_apply
from todo_project.admin.changelist import ChoiceFilter, OwnerFilter
from todo_project.admin.inlines import LatestInline, user_inlines
from todo_project.admin.options import BoundedModelAdmin, ReadOnlyAdmin
from todo_project.admin.search import parse_uuid


class ExpiryFilter(ChoiceFilter):
    title = parameter_name = "state"
    CHOICES = {
        "live": ("Live", lambda rows: rows.live(at=timezone.now())),
        "expired": ("Expired", lambda rows: rows.expired(at=timezone.now())),
    }


class UserFilter(OwnerFilter):
    field = "user"
    ordering = ("-created_at", "-pk")


class AnonymousHistory(BoundedModelAdmin):
    """History entries outlive the row and its user, so they contain only the row's ID."""

    def history_name(self, row: Any) -> str:
        return f"{self.opts.verbose_name} {row.pk}"


class CredentialAdmin(ReadOnlyAdmin, AnonymousHistory):
    owner_field = "user"
    list_fields: list[str] = []
    """Columns of the change list, after the owner."""
    list_select_related = ["user"]
    search_fields = ["user__email"]
    search_help_text = "Search by a whole email, a user ID or the ID of the row."

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self.owner_display(request), *self.list_fields]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [self.owner_display(request), "id", *self.list_fields]

    def search(self, request: HttpRequest, rows: Any, term: str) -> QuerySet[Any]:
        key = parse_uuid(term)
        return rows.filter(Q(pk=key) | Q(user=key) if key else Q(user__email=term.lower()))


@admin.register(Session)
class SessionAdmin(CredentialAdmin):
    list_fields = ["address", "user_agent", "created_at", "last_used_at", "expires_at", "ended_at"]
    list_columns = [*list_fields, "user__email", "user__name"]
    list_filter = [ExpiryFilter, UserFilter]
    # Each use moves the expiry, so this is the order of the last use.
    ordering = ["-expires_at", "-pk"]
    actions = page_actions = ["end"]
    useless_actions = {"state=expired": ["end"]}

    @bulk_action(
        "End",
        permission="accounts.end_session",
        done="ended",
        only=("live", lambda sessions, user: sessions.live(at=timezone.now())),
        tone="caution",
        warning="The apps and devices that use these sessions have to sign in again.",
    )
    def end(self, request: HttpRequest, sessions: Any) -> list[Session]:
        now = timezone.now()
        return lock_and_apply(sessions.live(at=now), methodcaller("end", at=now))


@admin.register(PersonalToken)
class PersonalTokenAdmin(CredentialAdmin):
    list_fields = ["name", "scope_names", "created_at", "last_used_at", "expires_at"]
    list_columns = ["name", "scopes", "created_at", "last_used_at", "expires_at", "user__email", "user__name"]
    list_filter = [ExpiryFilter, UserFilter]
    ordering = ["-expires_at", "-pk"]
    actions = page_actions = ["revoke"]

    @bulk_action(
        "Revoke",
        permission="accounts.revoke_personaltoken",
        done="revoked",
        warning="Scripts that use these tokens stop working immediately. A revoked token cannot be restored.",
        flag=DELETION,
    )
    def revoke(self, request: HttpRequest, tokens: Any) -> list[PersonalToken]:
        return lock_and_apply(tokens, methodcaller("delete"))

    @admin.display(description="scopes")
    def scope_names(self, token: PersonalToken) -> str:
        return ", ".join(token.scopes)


@admin.register(Identity)
class IdentityAdmin(CredentialAdmin):
    list_fields = ["issuer", "subject", "email", "created_at"]
    list_columns = [*list_fields, "user__email", "user__name"]
    list_filter = [UserFilter]
    ordering = ["-created_at", "-pk"]
    actions = page_actions = ["unlink"]

    @bulk_action(
        "Unlink",
        permission="accounts.delete_identity",
        done="unlinked",
        warning="Anyone who signs in with one of these identities again gets a new, empty account.",
        flag=DELETION,
    )
    def unlink(self, request: HttpRequest, identities: Any) -> list[Identity]:
        return lock_and_apply(identities, methodcaller("delete"))


@admin.register(FailedLogin)
class FailedLoginAdmin(ReadOnlyAdmin, AnonymousHistory):
    list_display = ["at", "email", "address"]
    list_display_links = None
    list_filter = ["at"]
    search_fields = ["email"]
    search_help_text = "Search by a whole email or a whole address."
    ordering = ["-at", "-pk"]
    fields = ["at", "email", "address"]
    actions = ["forget"]

    @bulk_action(
        "Forget",
        permission="accounts.delete_failedlogin",
        done="forgotten",
        warning="Forgotten failures no longer count towards the lockout.",
        flag=DELETION,
    )
    def forget(self, request: HttpRequest, failures: Any) -> list[FailedLogin]:
        return lock_and_apply(failures, methodcaller("delete"))

    def search(self, request: HttpRequest, rows: Any, term: str) -> QuerySet[FailedLogin]:
        return rows.filter(Q(email=term.lower()) | Q(address=term))


@user_inlines.register("sessions")
class LatestSessions(LatestInline):
    model = Session
    verbose_name_plural = "latest sessions"
    fields = ["last_used_at", "expires_at", "ended_at"]
    ordering = ["-created_at", "-pk"]


@user_inlines.register("tokens")
class LatestTokens(LatestInline):
    model = PersonalToken
    scope_names = PersonalTokenAdmin.scope_names
    fields = ["scope_names", "created_at", "last_used_at", "expires_at"]
    ordering = ["-created_at", "-pk"]


@user_inlines.register("identities")
class LatestIdentities(LatestInline):
    model = Identity
    fields = ["email", "created_at"]
    ordering = ["-created_at", "-pk"]
