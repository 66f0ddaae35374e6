"""The base of owned objects, the clocks that order their changes, and tombstones of purged ones."""

import secrets
import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Self, cast

from django.conf import settings
from django.db import models
from django.db.models import DEFERRED, Case, Value, When
from django.utils import timezone

from todo_project.db.querysets import OwnedQuerySet
from todo_project.db.user_annotations import USER_ANNOTATIONS, UserAnnotation

from .querysets import ClockQuerySet, ObjectQuerySet, TombstoneQuerySet

EPOCHS = 2**32 - 1


def random_epoch() -> int:
    return secrets.randbelow(EPOCHS) + 1


class Clock(models.Model):
    """A counter per owner. Each change of an object increments it and stores it as the object's version.

    The row lock makes an owner's writes commit in the order of their versions, so a client that has seen all
    versions up to a number has missed nothing. Owners do not wait for each other.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="clock"
    )
    epoch = models.BigIntegerField(
        default=random_epoch,
        help_text="Changes when versions may have been given out that the database does not know.",
    )
    tick = models.BigIntegerField(default=0, help_text="The last version.")
    counts = models.JSONField(default=dict, help_text="Number of objects by kind and state.")
    pruned_version = models.BigIntegerField(
        default=0, help_text="The newest version of a tombstone that is no longer kept."
    )
    prune_count = models.IntegerField(default=0, help_text="How often tombstones have been pruned.")

    objects = ClockQuerySet.as_manager()

    locked_at: datetime
    """The time of the write that has locked this clock."""

    def __str__(self) -> str:
        return str(self.tick)

    def next_version(self) -> int:
        self.tick += 1
        return self.tick

    def count(self, kind: str, changes: Mapping[str, int]) -> None:
        """Add to the number of objects in each state. Equal counts are equal JSON: there are no zeros."""
        states = Counter(self.counts.get(kind, {}))
        states.update(changes)
        counts = {**self.counts, kind: {state: number for state, number in states.items() if number}}
        self.counts = {name: each for name, each in counts.items() if each}


# request.user.epoch and .tick save a query for list ETags, and for the sync feed if nothing has changed.
USER_ANNOTATIONS["epoch"] = UserAnnotation("clock__epoch", default=0)
USER_ANNOTATIONS["tick"] = UserAnnotation("clock__tick", default=0)
# All that the rows and the feed of an owner depend on, for reads from a replica.
USER_ANNOTATIONS["prune_count"] = UserAnnotation("clock__prune_count", default=0)


class OwnedObject(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="%(class)ss", db_index=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.BigIntegerField(editable=False)

    objects = ObjectQuerySet.as_manager()

    is_new = False
    """Whether this instance was created by the current request."""

    search_columns: ClassVar[tuple[str, ...]]
    """The columns with text that the parameter `q` searches."""

    class Meta:
        abstract = True
        # Permission to view objects does not imply permission to download all of them.
        default_permissions = ("add", "change", "delete", "view", "export")
        constraints = [
            # Also the index for the sync feed and for deleting a user.
            models.UniqueConstraint(fields=["owner", "version"], name="%(class)s_version_once_per_owner")
        ]

    @property
    def state(self) -> str:
        """The state that the clock counts this object under."""
        return "trashed" if self.deleted_at else "live"

    @classmethod
    def state_expression(cls) -> Case:
        """The same in SQL."""
        return Case(When(deleted_at__isnull=False, then=Value("trashed")), default=Value("live"))

    @classmethod
    @cache
    def containers(cls) -> dict[str, type["OwnedObject"]]:
        """The foreign keys to what an object is in: it is trashed, restored and purged along with that."""
        return {
            field.name: cast(type[OwnedObject], field.related_model)
            for field in cls._meta.concrete_fields
            if field.is_relation and issubclass(cast(type, field.related_model), OwnedObject)
        }

    @classmethod
    def link_tables(cls) -> dict[type["Link"], str]:
        """The tables with references to objects, and the names of their foreign keys."""
        relations: Any = cls._meta.get_fields(include_hidden=True)
        return {
            each.related_model: each.field.name
            for each in relations
            if each.one_to_many and issubclass(each.related_model, Link)
        }

    @classmethod
    def new(cls, **values: Any) -> Self:
        """The same as calling the class, which would ask each field for its default."""
        return cls(
            *[
                values[name] if name in values else default() if callable(default) else default
                for name, default in cls._defaults()
            ]
        )

    @classmethod
    @cache
    def _defaults(cls) -> list[tuple[str, Any]]:
        """Values, and functions that return new ones."""
        fields: list[Any] = [field for field in cls._meta.concrete_fields if not field.generated]
        defaults = {
            field.attname: field.default
            if callable(field.default) and field.has_default()
            else field.get_default()
            for field in fields
        }
        return [(field.attname, defaults.get(field.attname, DEFERRED)) for field in cls._meta.concrete_fields]

    @property
    def container_ids(self) -> set[uuid.UUID]:
        return {getattr(self, f"{name}_id") for name in self.containers()} - {None}

    def set_fields(self, values: Mapping[str, Any], *, at: datetime) -> set[str]:
        """Set fields, and what follows from them in the same row. Return the names of the columns."""
        for name, value in values.items():
            field: Any = self._meta.get_field(name)
            setattr(self, field.attname, value)
        return {*values}


class Link(models.Model):
    """The base of tables of references from objects to a set of others.

    The object's own row contains the set, too: then a page of objects is read from one table.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )

    objects = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True

    @classmethod
    def target_of(cls, source: str) -> str:
        """The name of the foreign key that is neither the owner nor this one."""
        [name] = {field.name for field in cls._meta.concrete_fields if field.is_relation} - {"owner", source}
        return name


class Tombstone(models.Model):
    """A record of a purged object in the sync feed, until it is pruned."""

    pk = models.CompositePrimaryKey("owner", "object_id")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=30)
    object_id = models.UUIDField()
    version = models.BigIntegerField()
    purged_at = models.DateTimeField(db_index=True)

    objects = TombstoneQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "version"], name="tombstone_version_once_per_owner")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"
