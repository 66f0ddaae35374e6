"""A person, from an export: the profile, the outside identities, and what other rooms have of them."""

from collections.abc import Callable, Iterable
from typing import Any, TextIO

from django.conf import settings
from django.db.models import Q
from django.utils.module_loading import import_string
from rest_framework import serializers

from todo_project.api.serializers import InstantField, StrictSerializer
from todo_project.operations.importing import Import, NotImportable, Outcome, Reader, check, checked, is_equal

from .erasure import FORMER_STAFF
from .models import Identity, User
from .serializers import EmailField

CREDENTIALS = ("sessions", "tokens")
"""Of these an export has all but the secret."""


class ExportedProfileSerializer(StrictSerializer):
    id = serializers.UUIDField()
    email = EmailField(allow_null=True)
    name = serializers.CharField(max_length=150, allow_blank=True, trim_whitespace=False)
    has_password = serializers.BooleanField()
    created_at = InstantField()
    is_active = serializers.BooleanField()
    last_login = InstantField(allow_null=True)


class ExportedIdentitySerializer(StrictSerializer):
    id = serializers.UUIDField()
    issuer = serializers.CharField(max_length=255, trim_whitespace=False)
    subject = serializers.CharField(max_length=255, trim_whitespace=False)
    email = serializers.CharField(max_length=254, allow_blank=True, trim_whitespace=False)
    created_at = InstantField()


def load(
    file: TextIO, *, into: str | None, replace: bool, progress: Callable[[str], None]
) -> tuple[User, dict[str, Outcome]]:
    """Whose it is, and what became of each section. Runs in the caller's transaction."""
    members = Reader(file).members()
    name, content = next(members)
    if name != "profile" or not isinstance(content, dict):
        raise NotImportable("This is no export: it begins with 'profile'.")
    user, profile = _profile(content, into=into, replace=replace)
    target = Import(user, replace, progress, is_new=bool(profile.new))
    outcomes = {"profile": profile}
    for name, content in members:
        if name in settings.IMPORTED and not isinstance(content, dict):
            outcomes[name] = import_string(settings.IMPORTED[name])(target, content)
        elif name not in CREDENTIALS:
            raise NotImportable(f"{name}: An export has no such section.")
    if missing := sorted(settings.IMPORTED.keys() - outcomes.keys()):
        raise NotImportable(f"{missing[0]}: This section is missing.")
    return user, outcomes


def _profile(content: dict[str, Any], *, into: str | None, replace: bool) -> tuple[User, Outcome]:
    values = check("profile", ExportedProfileSerializer(), content)
    del values["has_password"]
    user = User.objects.filter(pk=values["id"]).first()
    others = User.objects.filter(email=values["email"]).exclude(pk=values["id"])
    if (user is None or replace) and values["email"] and others.exists():
        raise NotImportable("profile.email: Somebody else has an account with this email.")
    if user is None:
        user = User(**values)
        user.set_unusable_password()
        user.save(force_insert=True)
        return user, Outcome(new=1)
    _must_be_meant(user, into)
    if is_equal(user, values):
        return user, Outcome(equal=1)
    if replace:
        for name, value in values.items():
            setattr(user, name, value)
        user.save(update_fields=values.keys() - {"id"})
    return user, Outcome(differ=1)


def _must_be_meant(user: User, into: str | None) -> None:
    """A file could name anybody's id: whose account it may write, the operator says. Never that of staff."""
    if user.is_staff or user.is_superuser or user.pk == FORMER_STAFF:
        raise NotImportable(f"profile: {user} is an account of staff, which no file may write.")
    if into is None or User.objects.find(into) != user:
        told = user.email or user.pk
        raise NotImportable(f"profile: {told} is here already. If you mean this account: --into {told}.")


def identities(into: Import, rows: Iterable[Any]) -> Outcome:
    outcome = Outcome()
    for place, values in checked("identities", ExportedIdentitySerializer(), rows):
        one = Q(pk=values["id"]) | Q(issuer=values["issuer"], subject=values["subject"])
        here = list(Identity.objects.filter(one))
        if any(identity.user_id != into.user.pk for identity in here):
            raise NotImportable(f"{place}: This identity belongs to another account.")
        if not here and into.is_new:
            outcome.new += 1
        elif not here:
            # A way into an account that is here already is not merely something missing.
            outcome.differ += 1
            if not into.replace:
                continue
        elif all(is_equal(identity, values) for identity in here):
            outcome.equal += 1
            continue
        else:
            outcome.differ += 1
            if not into.replace:
                continue
            Identity.objects.filter(one).delete()
        Identity.objects.create(user=into.user, **values)
    return outcome
