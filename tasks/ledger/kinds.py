"""Kinds of objects. Each is declared once, in the module `kinds` of its app."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.utils.module_loading import import_string

from todo_project.api.errors import QuotaExceeded, quota_limit
from todo_project.config.registry import Registry
from todo_project.db import json_text
from todo_project.db.json_text import JSONText

from .models import Clock, Link, OwnedObject, Tombstone
from .querysets import ObjectQuerySet, TombstoneQuerySet

CREATE, UPDATE, DELETE, RESTORE, PURGE = "create", "update", "delete", "restore", "purge"

Verb = Callable[[Any, Mapping[str, Any], Any], set[str]]
"""Changes an object by values, as part of a Write, and returns the names of the changed columns."""


FindObject = Callable[[type[Any], uuid.UUID | None], Any]
"""Returns the stored object of an operation by its model and id, or None."""


def update(each: OwnedObject, values: Mapping[str, Any], write: Any) -> set[str]:
    return each.set_fields(values, at=write.at)


def trash(each: OwnedObject, values: Mapping[str, Any], write: Any) -> set[str]:
    """Move an object to the trash with what is in it. All get the same time. Repeating it changes nothing."""
    if each.deleted_at:
        return set()
    for content in write.contents(each):
        if not content.deleted_at:
            write.change(content, deleted_at=write.at)
    return each.set_fields({"deleted_at": write.at}, at=write.at)


def restore(each: OwnedObject, values: Mapping[str, Any], write: Any) -> set[str]:
    """Restore an object with what was trashed along with it. Repeating it changes nothing."""
    if not each.deleted_at:
        return set()
    for content in write.contents(each):
        if content.deleted_at == each.deleted_at:
            write.change(content, deleted_at=None)
    return each.set_fields({"deleted_at": None}, at=write.at)


def purge(each: OwnedObject, values: Mapping[str, Any], write: Any) -> set[str]:
    """Replace an object, and what is in it, by tombstones."""
    for content in [*write.contents(each), each]:
        write.purge(content)
    return set()


VERBS: dict[str, Verb] = {
    CREATE: update, UPDATE: update, DELETE: trash, RESTORE: restore, PURGE: purge,
}  # fmt: skip
"""The verbs of every kind."""

ALLOWED_IN_TRASH = {DELETE, RESTORE, PURGE}


@dataclass(frozen=True, eq=False)
class Kind:
    name: str
    """In JSON, and the prefix of keys from which ids are computed."""

    model: type[OwnedObject]
    fields: tuple[str, ...]
    """The fields in JSON, besides those of every object. "key=field" renames a field."""

    serializer: str
    """The dotted path of the serializer that validates the fields."""

    verbs: Mapping[str, Verb] = field(default_factory=dict)
    """The verbs that only this kind has, and those that it has in another way."""

    bodies: Mapping[str, str] = field(default_factory=dict)
    """The dotted paths of the serializers of what verbs take, besides creating and updating."""

    reads: Callable[[Sequence[Any], FindObject], Iterable["Lookup"]] | None = None
    """Returns which other objects operations on this kind need. Their verbs find them in the Write."""

    single_statement_fields: Mapping[str, Set[str]] = field(default_factory=dict)
    """The fields that CREATE and UPDATE can write in one statement, because no other object matters to them.
    With UPDATE, no other field of the object does, either: each is only a column to set."""

    links: Mapping[str, type[Link]] = field(default_factory=dict)
    """The tables that contain the same references as the fields with these names."""

    problems: Callable[[Any], Iterable[str]] | None = None
    """Returns what is wrong with an owner's objects that no constraint prevents, such as after an import."""

    has_trash: bool = True
    """Whether deleting moves to the trash. Otherwise it is final."""

    quota: str | None = None
    """The name of the quota of an owner's objects, such as "tasks" for the setting QUOTA_TASKS."""

    @property
    def plural(self) -> str:
        return str(self.model._meta.verbose_name_plural)

    @cached_property
    def json_fields(self) -> tuple[str, ...]:
        return (
            "id", "user_id=owner", *self.fields, "created_at", "updated_at", "deleted_at", "version",
        )  # fmt: skip

    @property
    def field_names(self) -> list[str]:
        """The names of the fields in JSON."""
        return [each.partition("=")[0] for each in self.json_fields]

    @property
    def columns(self) -> list[str]:
        """The model fields of the fields in JSON."""
        return [name or key for key, _, name in (each.partition("=") for each in self.json_fields)]

    @cached_property
    def serializer_class(self) -> Any:
        return import_string(self.serializer)

    @cached_property
    def all_verbs(self) -> dict[str, Verb]:
        final = {} if self.has_trash else {DELETE: purge}
        return {**VERBS, **final, **self.verbs}

    @cached_property
    def bulk_verbs(self) -> list[str]:
        """The verbs that a bulk request may use; purging has routes of its own."""
        own = [verb for verb in self.verbs if verb not in VERBS]
        return [CREATE, UPDATE, *own, DELETE, *([RESTORE] if self.has_trash else [])]

    @cached_property
    def body_classes(self) -> dict[str, Any]:
        return {verb: import_string(path) for verb, path in self.bodies.items()}

    def id_for(self, owner: Any, key: str) -> uuid.UUID:
        return uuid.uuid5(owner.pk, f"{self.name}:{key}")

    def allows(self, verb: str, each: OwnedObject) -> bool:
        if self.has_trash:
            return verb in ALLOWED_IN_TRASH if each.deleted_at else verb != PURGE
        return True

    def check_quota(self, clock: Clock) -> None:
        """Raise an error if the owner has more objects than allowed."""
        if self.quota and sum(clock.counts.get(self.name, {}).values()) > quota_limit(self.quota):
            included = ", including the trash" if self.has_trash else ""
            message = f"A user can have at most {{limit}} {self.plural}{included}."
            raise QuotaExceeded.of(self.quota, message)

    def as_dict(self, each: OwnedObject, *, with_kind: bool = False) -> dict[str, Any]:
        return {**({"kind": self.name} if with_kind else {}), **json_text.as_dict(each, self.json_fields)}

    def json(self, *, fields: frozenset[str] = frozenset(), with_kind: bool = False) -> JSONText:
        """An object as JSON text, with these fields, id and version; by default with all fields."""
        names = [
            each
            for each in self.json_fields
            if not fields or each.partition("=")[0] in fields | {"id", "version"}
        ]
        return JSONText(*names, opening=f'{{"kind":"{self.name}",' if with_kind else "{")

    def versions_and_json(self, rows: ObjectQuerySet, **options: Any) -> Any:
        return rows.values_list("version", self.json(**options))


Rows = Callable[[type[OwnedObject]], ObjectQuerySet]
"""Returns the objects of a model that an operation may read."""


@dataclass(frozen=True)
class Lookup:
    """Objects to read by the ids of others."""

    find: Callable[[Rows, Any], ObjectQuerySet]
    ids: frozenset[uuid.UUID]


kinds: Registry[Kind] = Registry("kinds of objects")


def owned(kind: Kind, owner: Any) -> ObjectQuerySet:
    """The objects of an owner: the source of rows for code that serves no request."""
    rows: ObjectQuerySet = kind.model.objects.for_user(owner)
    return rows


RowsFor = Callable[[Kind, Any], ObjectQuerySet]
"""Returns the objects of a kind and an owner, or a placeholder: owned, or a viewset's rows_for."""


@dataclass(frozen=True)
class OwnersRows:
    """The rows of one owner, or of a placeholder."""

    owner: Any
    rows_for: RowsFor = owned

    def __call__(self, model: type[OwnedObject]) -> ObjectQuerySet:
        return self.rows_for(kind_of(model), self.owner)


def kind_of(model: type[OwnedObject]) -> Kind:
    return next(kind for kind in kinds.values() if kind.model is model)


def tombstone_dict(tombstone: Tombstone) -> dict[str, Any]:
    return {
        "kind": tombstone.kind,
        "id": str(tombstone.object_id),
        "version": tombstone.version,
        "purged": True,
    }


def tombstone_json(rows: TombstoneQuerySet) -> Any:
    """The versions and the JSON texts of tombstones."""
    return rows.values_list("version", JSONText("kind", "id=object_id", "version", ending=',"purged":true}'))
