"""Erase a user: their data, and mentions of them elsewhere.

The admin's history keeps what the user did as staff, under the name "Former staff", because it is about
others. It also keeps what staff did to the user's data, without names and titles.
"""

import uuid
from collections.abc import Iterator
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import CompositePrimaryKey, QuerySet, TextField, Value
from django.db.models.functions import Cast, Replace

from todo_project.api.errors import Conflict
from todo_project.models import IdempotencyUsage

from .models import ErasedIdentity, FailedLogin, Identity, User

FORMER_STAFF = uuid.UUID("f0f0f0f0-0000-4000-8000-000000000000")
ERASED = "(erased)"


def count_erased(user: User) -> dict[str, int]:
    """The number of rows of each kind that erase() deletes or anonymizes."""
    mentions = sum(entries.count() for entries in _history_about(user))
    return {**count_owned(user), "mentions in the history": mentions}


def count_owned(user: User) -> dict[str, int]:
    """The number of rows of each kind that are deleted with a user, without zeros and the bookkeeping."""
    bookkeeping = {rows.model for rows in _owned(user, one_to_one=True)}
    owned = {
        str(rows.model._meta.verbose_name_plural): rows.count()
        for rows in _owned(user)
        if rows.model not in bookkeeping
    }
    counts = {**owned, "failed sign-ins": _failed_logins(user).count()}
    return {kind: number for kind, number in counts.items() if number}


@transaction.atomic
def erase(user: User) -> None:
    """Without loading rows, so that memory does not depend on their number."""
    if user.pk == FORMER_STAFF:
        raise Conflict("This account represents all former staff in the history and cannot be erased.")
    # Concurrent writes of the owner have to wait, or they would refer to a deleted user. Lock in the order in
    # which a write does: first the one-to-one rows, such as the clock, then the user, then what it stores of
    # its response.
    for rows in _owned(user, one_to_one=True):
        if rows.model is not IdempotencyUsage:
            list(rows.select_for_update().values_list("pk"))
    User.objects.select_for_update().filter(pk=user.pk).first()
    for entries in _history_about(user):
        entries.update(object_repr=ERASED, change_message="")
    _hand_over_history(user)
    _failed_logins(user).delete()
    ErasedIdentity.objects.record(Identity.objects.for_user(user))
    user.delete()


def _owned(user: User, *, one_to_one: bool = False) -> Iterator[QuerySet[Any]]:
    for relation in User._meta.get_fields(include_hidden=True):
        if relation.auto_created and (relation.one_to_one or (relation.one_to_many and not one_to_one)):
            model: Any = relation.related_model
            if model is not LogEntry:
                yield model._base_manager.filter(**{relation.field.name: user.pk})  # type: ignore[union-attr]


def _failed_logins(user: User) -> QuerySet[FailedLogin]:
    """Failures of a user without an email are recorded by id."""
    return FailedLogin.objects.filter(email__in=[user.email or "", str(user.pk)])


def _history_about(user: User) -> Iterator[QuerySet[LogEntry]]:
    for rows in (User.objects.filter(pk=user.pk), *_owned(user)):
        options = rows.model._meta
        if isinstance(options.pk, CompositePrimaryKey):
            continue  # The admin cannot have such a model.
        # The history stores ids as text; SQLite stores UUIDs without hyphens.
        ids = rows.values(text=_without_hyphens(Cast("pk", TextField())))
        entries = LogEntry.objects.filter(
            # Not get_for_model(): it may insert a row, which a dry run must not.
            content_type__app_label=options.app_label,
            content_type__model=options.model_name,
        ).alias(text=_without_hyphens("object_id"))
        yield entries.filter(text__in=ids).exclude(object_repr=ERASED)


def _without_hyphens(text: Any) -> Replace:
    return Replace(text, Value("-"), Value(""), output_field=TextField())


def _hand_over_history(user: User) -> None:
    entries = LogEntry.objects.filter(user=user)
    if entries.exists():
        former_staff, _ = User.objects.get_or_create(
            pk=FORMER_STAFF, defaults={"name": "Former staff", "is_active": False, "password": "!"}
        )
        entries.update(user=former_staff)
