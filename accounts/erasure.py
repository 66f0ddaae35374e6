"""A person, gone: all that is theirs, and what tells of them elsewhere.

What they did as staff stays in the admin's history, in nobody's name: it is about others. What staff did to
them and theirs stays too, without the words that tell whom or what.
"""

import uuid
from collections.abc import Iterator
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import QuerySet, TextField, Value
from django.db.models.functions import Cast, Replace

from todo_project.api.errors import Conflict

from .models import FailedLogin, User

FORMER_STAFF = uuid.UUID("f0f0f0f0-0000-4000-8000-000000000000")
ERASED = "(erased)"


def what_would_go(user: User) -> dict[str, int]:
    """How many there are of each kind; of that which is not one person's, only what tells of this one."""
    mentions = sum(entries.count() for entries in _history_about(user))
    return {**belongings(user), "mentions in the history": mentions}


def belongings(user: User) -> dict[str, int]:
    """What is deleted with a person, where there is any."""
    theirs = {str(rows.model._meta.verbose_name_plural): rows.count() for rows in _owned(user)}
    counts = {**theirs, "failed logins": _failed_logins(user).count()}
    return {kind: number for kind, number in counts.items() if number}


@transaction.atomic
def erase(user: User) -> None:
    """All at once, inside the database: how much there is costs Python nothing."""
    if user.pk == FORMER_STAFF:
        raise Conflict("This account stands for all former staff in the history, and stays.")
    # What the owner writes meanwhile has to wait, or it would refer to who is gone. The locks are taken in
    # the writer's order: first what there is one of for each person, as the clock, then the person.
    for rows in _owned(user, one_to_one=True):
        list(rows.select_for_update().values_list("pk"))
    User.objects.select_for_update().filter(pk=user.pk).first()
    for entries in _history_about(user):
        entries.update(object_repr=ERASED, change_message="")
    _hand_over_history(user)
    _failed_logins(user).delete()
    user.delete()


def _owned(user: User, *, one_to_one: bool = False) -> Iterator[QuerySet[Any]]:
    for relation in User._meta.get_fields(include_hidden=True):
        if relation.auto_created and (relation.one_to_one or (relation.one_to_many and not one_to_one)):
            model: Any = relation.related_model
            if model is not LogEntry:
                yield model._base_manager.filter(**{relation.field.name: user.pk})  # type: ignore[union-attr]


def _failed_logins(user: User) -> QuerySet[FailedLogin]:
    """Who has no email is counted by the id."""
    return FailedLogin.objects.filter(email__in=[user.email or "", str(user.pk)])


def _history_about(user: User) -> Iterator[QuerySet[LogEntry]]:
    for things in (User.objects.filter(pk=user.pk), *_owned(user)):
        kind = things.model._meta
        # The history holds ids as text; SQLite keeps them without the hyphens.
        ids = things.values(text=_without_hyphens(Cast("pk", TextField())))
        entries = LogEntry.objects.filter(
            # Not by get_for_model(), which may write: a dry run must not.
            content_type__app_label=kind.app_label,
            content_type__model=kind.model_name,
        ).alias(text=_without_hyphens("object_id"))
        yield entries.filter(text__in=ids).exclude(object_repr=ERASED)


def _without_hyphens(text: Any) -> Replace:
    return Replace(text, Value("-"), Value(""), output_field=TextField())


def _hand_over_history(user: User) -> None:
    done = LogEntry.objects.filter(user=user)
    if done.exists():
        nobody, _ = User.objects.get_or_create(
            pk=FORMER_STAFF, defaults={"name": "Former staff", "is_active": False, "password": "!"}
        )
        done.update(user=nobody)
