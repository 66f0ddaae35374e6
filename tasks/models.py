"""Tasks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.functions import Coalesce, Length, Trim
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from todo_project.api.errors import ValidationFailed
from todo_project.db.fields import TimeZoneField

from .dates import EndOfDay
from .ledger.models import OwnedObject
from .querysets import TaskQuerySet


class Priority(models.IntegerChoices):
    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


class Task(OwnedObject):
    title = models.CharField(max_length=500)
    description = models.TextField(max_length=5000, blank=True, default="")
    completed = models.BooleanField(default=False)
    completed_at = models.DateTimeField(null=True, blank=True, editable=False)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NONE)
    due_date = models.DateField(null=True, blank=True, help_text="Due on this day, in any time zone.")
    due_at = models.DateTimeField(null=True, blank=True, help_text="Due at this time.")
    due_zone = TimeZoneField(null=True, blank=True, help_text="The time zone that the time was meant in.")
    due_by = models.GeneratedField(
        expression=Coalesce("due_at", EndOfDay("due_date")),
        output_field=models.DateTimeField(),
        db_persist=True,
        null=True,
        help_text="The time to sort by: due_at, or the end of due_date in UTC.",
    )
    start_date = models.DateField(null=True, blank=True, help_text="Not to be started before this day.")

    objects = TaskQuerySet.as_manager()  # type: ignore[misc]

    search_columns: ClassVar[tuple[str, ...]] = ("title", "description")

    class Meta(OwnedObject.Meta):
        constraints = [
            *OwnedObject.Meta.constraints,
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
                condition=Q(due_date__isnull=True) | Q(due_at__isnull=True),
                name="task_due_once",
                violation_error_code="exclusive",
                violation_error_message="A task is due on a day or at a time: set due_date or due_at.",
            ),
            models.CheckConstraint(
                condition=Q(due_zone__isnull=True) | Q(due_at__isnull=False),
                name="task_due_zone_with_due_at",
                violation_error_code="without_time",
                violation_error_message="due_zone needs due_at.",
            ),
            models.CheckConstraint(
                condition=Q(completed=True, completed_at__isnull=False)
                | Q(completed=False, completed_at__isnull=True),
                name="task_completed_at_when_completed",
                violation_error_message="completed_at must be set exactly when the task is completed.",
            ),
        ]
        # Every write of a task adds to each index; decision 18 has what they cost.
        indexes = [
            models.Index(
                fields=["owner", "created_at", "id"],
                name="task_created",
                condition=Q(deleted_at__isnull=True),
            ),
            models.Index(
                fields=["owner", "due_by", "id"], name="task_due", condition=Q(deleted_at__isnull=True)
            ),
            # Small, because in the long run most tasks are completed.
            models.Index(
                fields=["owner", "due_by", "id"],
                name="task_open",
                condition=Q(completed=False, deleted_at__isnull=True),
            ),
            models.Index(
                fields=["owner", "deleted_at", "id"],
                name="task_trashed",
                condition=Q(deleted_at__isnull=False),
            ),
            # For the admin's lists of all owners' tasks, its dashboard and the purge command. Without the id
            # where few tasks have the same time.
            models.Index(fields=["created_at"], name="task_all_created"),
            models.Index(
                fields=["completed_at"],
                name="task_all_completed",
                condition=Q(completed_at__isnull=False),
            ),
            models.Index(
                fields=["due_by", "id"],
                name="task_all_open",
                condition=Q(completed=False, deleted_at__isnull=True),
            ),
            models.Index(
                fields=["deleted_at", "id"],
                name="task_all_trashed",
                condition=Q(deleted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def state(self) -> str:
        if self.deleted_at:
            return "trashed"
        return "completed" if self.completed else "open"

    @classmethod
    def state_expression(cls) -> Case:
        return Case(
            When(deleted_at__isnull=False, then=Value("trashed")),
            When(completed=True, then=Value("completed")),
            default=Value("open"),
        )

    def change(self, values: Mapping[str, Any], *, at: datetime) -> set[str]:
        """Set fields. Completing a completed task keeps its completed_at."""
        changed = super().change(values, at=at)
        if self.due_date and self.due_at:
            field, other = ("due_at", "due_date") if values.get("due_at") else ("due_date", "due_at")
            message = f"A task is due on a day or at a time. To set {field}, also send {other} as null."
            raise ValidationFailed.of(field, "exclusive", message)
        if self.due_zone and not self.due_at:
            if values.get("due_zone"):
                raise ValidationFailed.of("due_zone", "without_time", "Due zone is allowed only with due_at.")
            self.due_zone = None
            changed.add("due_zone")
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
