"""Imports a user's account from an export: the profile and the identities."""

from collections.abc import Callable, Iterable
from typing import Any, TextIO

from django.db.models import Q

from todo_project.api.fields import BooleanField, CharField, InstantField, TextField, TimeZoneField, UUIDField
from todo_project.api.serializers import StrictSerializer
from todo_project.operations.importing import (
    Import,
    NotImportable,
    Outcome,
    Reader,
    importers,
    is_equal,
    validate,
    validated,
)

from .erasure import FORMER_STAFF
from .models import Identity, User
from .serializers import EmailField

CREDENTIALS = ("sessions", "tokens")
"""An export lists these without their secrets, so they cannot be restored."""


class ExportedProfileSerializer(StrictSerializer):
    id = UUIDField()
    email = EmailField(allow_null=True)
    name = TextField(max_length=150, allow_blank=True, trim_whitespace=False)
    time_zone = TimeZoneField()
    has_password = BooleanField()
    created_at = InstantField()
    is_active = BooleanField()
    last_login = InstantField(allow_null=True)


class ExportedIdentitySerializer(StrictSerializer):
    id = UUIDField()
    issuer = CharField(max_length=255, trim_whitespace=False)
    subject = CharField(max_length=255, trim_whitespace=False)
    email = CharField(max_length=254, allow_blank=True, trim_whitespace=False)
    created_at = InstantField()


def load(
    file: TextIO, *, into: str | None, replace: bool, progress: Callable[[str], None]
) -> tuple[User, dict[str, Outcome]]:
    """Import a file in the caller's transaction; return its user and the outcome of each section."""
    members = Reader(file).members()
    try:
        name, content = next(members)
        if name != "profile" or not isinstance(content, dict):
            raise NotImportable("it does not begin with the profile.")
    except NotImportable as error:
        raise NotImportable(f"This is not a file that export_user wrote: {error}") from error
    user, profile = _profile(content, into=into, replace=replace)
    target = Import(user, replace, progress, is_new=bool(profile.new))
    outcomes = {"profile": profile}
    for name, content in members:
        if name in importers and not isinstance(content, dict):
            outcomes[name] = importers[name](target, content)
        elif name not in CREDENTIALS:
            raise NotImportable(f"{name}: This is not a section of an export.")
    if missing := sorted(importers.keys() - outcomes.keys()):
        raise NotImportable(f"{missing[0]}: This section is missing.")
    return user, outcomes


def _profile(content: dict[str, Any], *, into: str | None, replace: bool) -> tuple[User, Outcome]:
    values = validate("profile", ExportedProfileSerializer(), content)
    del values["has_password"]
    user = User.objects.filter(pk=values["id"]).first()
    others = User.objects.filter(email=values["email"]).exclude(pk=values["id"])
    if (user is None or replace) and values["email"] and others.exists():
        raise NotImportable("profile.email: Another account has this email.")
    if user is None:
        user = User(**values)
        user.set_unusable_password()
        user.save(force_insert=True)
        return user, Outcome(new=1)
    _check_target(user, into)
    if is_equal(user, values):
        return user, Outcome(equal=1)
    if replace:
        for name, value in values.items():
            setattr(user, name, value)
        user.save(update_fields=values.keys() - {"id"})
    return user, Outcome(differ=1)


def _check_target(user: User, into: str | None) -> None:
    """The operator names the account that may be overwritten, because a file could contain anybody's id."""
    if user.is_staff or user.is_superuser or user.pk == FORMER_STAFF:
        raise NotImportable(f"profile: {user} is a staff account, which an import never changes.")
    if into is None or User.objects.find(into) != user:
        name = user.email or user.pk
        problem = f"the file belongs to {name}, not to {into}" if into else f"{name} already exists"
        raise NotImportable(f"profile: {problem}. To import into that account, use --into {name}.")


@importers.register("identities")
def identities(into: Import, rows: Iterable[Any]) -> Outcome:
    outcome = Outcome()
    for place, values in validated("identities", ExportedIdentitySerializer(), rows):
        same = Q(pk=values["id"]) | Q(issuer=values["issuer"], subject=values["subject"])
        existing = list(Identity.objects.filter(same))
        if any(identity.user_id != into.user.pk for identity in existing):
            raise NotImportable(f"{place}: This identity belongs to another account.")
        if not existing and not into.is_new:
            # A new way to sign in to an existing account is a conflict, not merely a missing row.
            outcome.differ += 1
            writes = into.replace
        else:
            writes = outcome.add(existing, values, replace=into.replace)
        if writes:
            Identity.objects.filter(same).delete()
            Identity.objects.create(user=into.user, **values)
    return outcome
