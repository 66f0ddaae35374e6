"""What is to be done, and the clock that puts an owner's changes in one order."""

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

from todo_project.api.pagination import FIRST, LAST

from .querysets import ClockQuerySet, TaskQuerySet, TombstoneQuerySet


class Clock(models.Model):
    """One owner's counter. Each change of a task takes the next number for the task's version.

    Its row's lock puts one owner's writes in one order, in which they also commit; owners never wait for
    each other. So whoever has seen all versions up to a number has missed nothing.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="clock"
    )
    tick = models.BigIntegerField(default=0)
    forgotten = models.BigIntegerField(
        default=0, help_text="The newest version of a tombstone that is no longer kept."
    )
    forgettings = models.IntegerField(default=0, help_text="How often tombstones were forgotten.")

    objects = ClockQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.tick)


class Priority(models.IntegerChoices):
    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


EARLIEST, LATEST = (Value(time, models.DateTimeField()) for time in (FIRST, LAST))


def for_pages(name: str, column: Any, *, trashed: bool = False) -> models.Index:
    """The order of one owner's list, as pagination.Keyset sorts it."""
    return models.Index("owner", column, "id", name=name, condition=Q(deleted_at__isnull=not trashed))


class Task(models.Model):
    """Something to be done.

    The verbs change the instance and give the names of the columns they changed; none when there was nothing
    to do. operations.py stores them, under the owner's clock.
    """

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

    class Meta:
        constraints = [
            # Also the index of the sync feed, and of the owner's deletion.
            models.UniqueConstraint(fields=["owner", "version"], name="task_version_once_per_owner"),
            models.CheckConstraint(
                condition=Q(GreaterThan(Length(Trim("title")), 0)),
                name="task_title_not_blank",
                violation_error_code="blank",
                violation_error_message="Title may not be blank.",
            ),
            models.CheckConstraint(
                condition=Q(LessThanOrEqual(Length("title"), 500)),
                name="task_title_length",
                violation_error_code="max_length",
                violation_error_message="Title has at most 500 characters.",
            ),
            models.CheckConstraint(
                condition=Q(LessThanOrEqual(Length("description"), 5000)),
                name="task_description_length",
                violation_error_code="max_length",
                violation_error_message="Description has at most 5000 characters.",
            ),
            models.CheckConstraint(
                condition=Q(priority__range=(Priority.NONE, Priority.HIGH)),
                name="task_priority_range",
                violation_error_code="invalid_choice",
                violation_error_message="Priority is 0 (none), 1 (low), 2 (medium) or 3 (high).",
            ),
            models.CheckConstraint(
                condition=Q(completed=True, completed_at__isnull=False)
                | Q(completed=False, completed_at__isnull=True),
                name="task_completed_at_when_completed",
                violation_error_message="A task has a time of completion exactly when it is completed.",
            ),
        ]
        indexes = [
            for_pages("task_created", "created_at"),
            for_pages("task_updated", "updated_at"),
            for_pages("task_priority", "priority"),
            for_pages("task_title", "title"),
            for_pages("task_due_last", Coalesce("due_at", LATEST)),
            for_pages("task_due_first", Coalesce("due_at", EARLIEST)),
            for_pages("task_trashed_last", Coalesce("deleted_at", LATEST), trashed=True),
            for_pages("task_trashed_first", Coalesce("deleted_at", EARLIEST), trashed=True),
            # Everybody's trash, for the command that purges it.
            models.Index(
                fields=["deleted_at", "id"], name="task_trash", condition=Q(deleted_at__isnull=False)
            ),
            # For the dashboard, of all owners. Partial, so that it costs nothing until a task is completed.
            models.Index(
                fields=["completed_at"], name="task_completion", condition=Q(completed_at__isnull=False)
            ),
            # Everybody's tasks, in the orders of the admin's list; querysets.py says them. A task that is not
            # in the trash is in the first and in one of the others.
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
        # To see a task is not yet to carry all of them away.
        permissions = [("export_task", "Can export tasks")]

    def __str__(self) -> str:
        return self.title

    def change(self, values: Mapping[str, Any], *, at: datetime) -> set[str]:
        """Set what was sent. Completing what is completed keeps the first time."""
        changed = set(values)
        for name, value in values.items():
            setattr(self, name, value)
        if "completed" in values:
            self.completed_at = (self.completed_at or at) if self.completed else None
            changed.add("completed_at")
        return changed

    def complete(self, *, at: datetime) -> set[str]:
        """Completing again keeps the first time."""
        return set() if self.completed else self.change({"completed": True}, at=at)

    def reopen(self, *, at: datetime) -> set[str]:
        """Reopening an open task changes nothing."""
        return self.change({"completed": False}, at=at) if self.completed else set()

    def trash(self, *, at: datetime) -> set[str]:
        """Into the trash; again keeps the first time."""
        return set() if self.deleted_at else self.change({"deleted_at": at}, at=at)

    def restore(self, *, at: datetime) -> set[str]:
        """Out of the trash, as it was; restoring a live task changes nothing."""
        return self.change({"deleted_at": None}, at=at) if self.deleted_at else set()


class Tombstone(models.Model):
    """What is left of a purged task until everybody has had time to hear of it."""

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
