"""Tasks, tombstones of deleted tasks, and clocks, which order the changes of an owner."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce, Length, Trim
from django.db.models.lookups import GreaterThan, LessThanOrEqual
from django.utils import timezone

from todo_project.db.keyset import MAX_DATETIME, MIN_DATETIME
from todo_project.db.user_annotations import USER_ANNOTATIONS, UserAnnotation

from .querysets import ClockQuerySet, TaskQuerySet, TombstoneQuerySet


class Clock(models.Model):
    """A counter per owner. Each change of a task increments it and stores it as the task's version.

    The row lock makes an owner's writes commit in the order of their versions, so a client that has seen all
    versions up to a number has missed nothing. Owners do not wait for each other.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="clock"
    )
    tick = models.BigIntegerField(default=0)
    pruned_version = models.BigIntegerField(
        default=0, help_text="The newest version of a tombstone that is no longer kept."
    )
    prune_count = models.IntegerField(default=0, help_text="How often tombstones have been pruned.")

    objects = ClockQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.tick)


# request.user.tick saves a query for list ETags, and for the sync feed if nothing has changed.
USER_ANNOTATIONS["tick"] = UserAnnotation("clock__tick", default=0)


class Priority(models.IntegerChoices):
    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


EARLIEST, LATEST = (Value(time, models.DateTimeField()) for time in (MIN_DATETIME, MAX_DATETIME))


def list_index(name: str, column: Any, *, trashed: bool = False) -> models.Index:
    """The index for an ordering of one owner's list; see Keyset."""
    return models.Index("owner", column, "id", name=name, condition=Q(deleted_at__isnull=not trashed))


class Task(models.Model):
    """The methods change the instance and return the names of the changed columns, which perform() stores."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tasks", db_index=False
    )
    title = models.CharField(max_length=500)
    description = models.TextField(max_length=5000, blank=True, default="")
    completed = models.BooleanField(default=False)
    completed_at = models.DateTimeField(null=True, blank=True, editable=False)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NONE)
    due_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.BigIntegerField(editable=False)

    objects = TaskQuerySet.as_manager()

    is_new = False
    """Whether this instance was created by the current request."""

    class Meta:
        constraints = [
            # Also the index for the sync feed and for deleting a user.
            models.UniqueConstraint(fields=["owner", "version"], name="task_version_once_per_owner"),
            models.CheckConstraint(
                condition=Q(GreaterThan(Length(Trim("title")), 0)),
                name="task_title_not_blank",
                violation_error_code="blank",
                violation_error_message="Title must not be blank.",
            ),
            models.CheckConstraint(
                condition=Q(LessThanOrEqual(Length("title"), 500)),
                name="task_title_length",
                violation_error_code="max_length",
                violation_error_message="Title must have at most 500 characters.",
            ),
            models.CheckConstraint(
                condition=Q(LessThanOrEqual(Length("description"), 5000)),
                name="task_description_length",
                violation_error_code="max_length",
                violation_error_message="Description must have at most 5000 characters.",
            ),
            models.CheckConstraint(
                condition=Q(priority__range=(Priority.NONE, Priority.HIGH)),
                name="task_priority_range",
                violation_error_code="invalid_choice",
                violation_error_message="Priority must be 0 (none), 1 (low), 2 (medium) or 3 (high).",
            ),
            models.CheckConstraint(
                condition=Q(completed=True, completed_at__isnull=False)
                | Q(completed=False, completed_at__isnull=True),
                name="task_completed_at_when_completed",
                violation_error_message="completed_at must be set exactly when the task is completed.",
            ),
        ]
        indexes = [
            list_index("task_created", "created_at"),
            list_index("task_updated", "updated_at"),
            list_index("task_priority", "priority"),
            list_index("task_title", "title"),
            list_index("task_due_last", Coalesce("due_at", LATEST)),
            list_index("task_due_first", Coalesce("due_at", EARLIEST)),
            list_index("task_trashed_last", Coalesce("deleted_at", LATEST), trashed=True),
            list_index("task_trashed_first", Coalesce("deleted_at", EARLIEST), trashed=True),
            # For the purge command.
            models.Index(
                fields=["deleted_at", "id"], name="task_trash", condition=Q(deleted_at__isnull=False)
            ),
            # For the admin dashboard. Partial, so that it does not slow down the creation of tasks.
            models.Index(
                fields=["completed_at"], name="task_completion", condition=Q(completed_at__isnull=False)
            ),
            # For the admin's lists of all owners' tasks.
            models.Index(fields=["created_at", "id"], name="task_all_created"),
            models.Index(
                fields=["due_at", "id"],
                name="task_all_open",
                condition=Q(completed=False, deleted_at__isnull=True),
            ),
            models.Index(
                fields=["completed_at", "id"],
                name="task_all_completed",
                condition=Q(completed=True, deleted_at__isnull=True),
            ),
        ]
        # Permission to view tasks does not imply permission to download all of them.
        permissions = [("export_task", "Can export tasks")]

    def __str__(self) -> str:
        return self.title

    def change(self, values: Mapping[str, Any], *, at: datetime) -> set[str]:
        """Set fields. Completing a completed task keeps its completed_at."""
        changed = set(values)
        for name, value in values.items():
            setattr(self, name, value)
        if "completed" in values:
            self.completed_at = (self.completed_at or at) if self.completed else None
            changed.add("completed_at")
        return changed

    def complete(self, *, at: datetime) -> set[str]:
        """Completing a completed task changes nothing."""
        return set() if self.completed else self.change({"completed": True}, at=at)

    def reopen(self, *, at: datetime) -> set[str]:
        """Reopening an open task changes nothing."""
        return self.change({"completed": False}, at=at) if self.completed else set()

    def trash(self, *, at: datetime) -> set[str]:
        """Move to the trash. Trashing a trashed task changes nothing."""
        return set() if self.deleted_at else self.change({"deleted_at": at}, at=at)

    def restore(self, *, at: datetime) -> set[str]:
        """Move out of the trash. Restoring a live task changes nothing."""
        return self.change({"deleted_at": None}, at=at) if self.deleted_at else set()


class Tombstone(models.Model):
    """A record of a purged task in the sync feed, until it is pruned."""

    pk = models.CompositePrimaryKey("owner", "task")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    task = models.UUIDField()
    version = models.BigIntegerField()
    purged_at = models.DateTimeField(db_index=True)

    objects = TombstoneQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "version"], name="tombstone_version_once_per_owner")
        ]

    def __str__(self) -> str:
        return str(self.task)
