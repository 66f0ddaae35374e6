"""Tasks, the projects that they are in, and labels."""

import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce, Length, Trim
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from todo_project.api.errors import ValidationFailed
from todo_project.db.fields import ColorField, JSONTextField, TimeZoneField, UUIDListField
from todo_project.db.user_annotations import USER_ANNOTATIONS, NumberInJSON

from .dates import EndOfDay, instant, later
from .ledger.models import Link, OwnedObject
from .ledger.querysets import OF_ALL_OWNERS
from .querysets import LabelQuerySet, OrderedQuerySet, ProjectQuerySet, TaskQuerySet


class Priority(models.IntegerChoices):
    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


def reference(to: Any, **options: Any) -> models.ForeignKey[Any, Any]:
    """A foreign key within an owner's objects.

    On PostgreSQL a migration adds its constraint, which includes the owner, as does the primary key there.
    """
    options = {"related_name": "+", "db_index": False, "db_constraint": False, **options}
    return models.ForeignKey(to, models.DO_NOTHING, **options)


def container(to: Any) -> models.ForeignKey[Any, Any]:
    return reference(to, null=True, blank=True)


class OrderedObject(OwnedObject):
    """The base of objects that their owner puts in an order among their siblings."""

    position = models.CharField(
        max_length=120,
        editable=False,
        help_text="Its place among its siblings: texts compared byte by byte.",
    )

    objects = OrderedQuerySet.as_manager()  # type: ignore[misc]

    siblings_share: ClassVar[tuple[str, ...]] = ()
    """The foreign keys that siblings have in common."""

    class Meta(OwnedObject.Meta):
        abstract = True

    @property
    def sibling_key(self) -> tuple[Any, ...]:
        return tuple(getattr(self, f"{name}_id") for name in self.siblings_share)


def color_check(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(color__isnull=True) | Q(color__regex="^#[0-9a-f]{6}$"),
        name=name,
        violation_error_code="invalid",
        violation_error_message="Color must be like #1e90ff.",
    )


# Without archived projects, lists of tasks need not exclude them: a simpler query with a better plan.
USER_ANNOTATIONS["n_archived_projects"] = NumberInJSON("clock__counts", 0, ("project", "archived"))


class Project(OrderedObject):
    name = models.CharField(max_length=200)
    color = ColorField(null=True, blank=True)
    parent = container("self")
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ProjectQuerySet.as_manager()  # type: ignore[misc]

    search_columns: ClassVar[tuple[str, ...]] = ("name",)
    siblings_share = ("parent",)

    class Meta(OwnedObject.Meta):
        constraints = [
            *OwnedObject.Meta.constraints,
            models.CheckConstraint(
                condition=Q(GreaterThan(Length(Trim("name")), 0)),
                name="project_name_not_blank",
                violation_error_code="blank",
                violation_error_message="Name must not be blank.",
            ),
            models.CheckConstraint(
                condition=Q(LessThanOrEqual(Length("name"), 200)),
                name="project_name_length",
                violation_error_code="max_length",
                violation_error_message="Name must have at most 200 characters.",
            ),
            color_check("project_color_format"),
            models.CheckConstraint(
                condition=~Q(parent=F("id")), name="project_not_in_itself", violation_error_code="cycle"
            ),
        ]
        # An owner has at most some hundreds: their lists need no index of their own.
        indexes = [
            models.Index(
                fields=["owner", "parent"], name="project_parent", condition=Q(parent__isnull=False)
            ),
            models.Index(fields=["created_at"], name="project_all_created", condition=OF_ALL_OWNERS),
            models.Index(
                fields=["deleted_at", "id"],
                name="project_all_trashed",
                condition=OF_ALL_OWNERS & Q(deleted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        if self.deleted_at:
            return "trashed"
        return "archived" if self.archived_at else "active"

    @classmethod
    def state_expression(cls) -> Case:
        return Case(
            When(deleted_at__isnull=False, then=Value("trashed")),
            When(archived_at__isnull=False, then=Value("archived")),
            default=Value("active"),
        )


def comparable(name: str) -> str:
    """Equal for names that differ only in case. A database would compare by its own idea of letters."""
    return unicodedata.normalize("NFC", name.casefold())


class Label(OrderedObject):
    name = models.CharField(max_length=100)
    comparable_name = models.CharField(max_length=300, editable=False)
    color = ColorField(null=True, blank=True)

    objects = LabelQuerySet.as_manager()  # type: ignore[misc]

    search_columns: ClassVar[tuple[str, ...]] = ("name",)

    class Meta(OwnedObject.Meta):
        constraints = [
            *OwnedObject.Meta.constraints,
            models.UniqueConstraint(
                fields=["owner", "comparable_name"],
                name="label_name_once_per_owner",
                violation_error_message="You already have a label with this name.",
            ),
            models.CheckConstraint(
                condition=Q(GreaterThan(Length(Trim("name")), 0)),
                name="label_name_not_blank",
                violation_error_code="blank",
                violation_error_message="Name must not be blank.",
            ),
            models.CheckConstraint(
                condition=Q(LessThanOrEqual(Length("name"), 100)),
                name="label_name_length",
                violation_error_code="max_length",
                violation_error_message="Name must have at most 100 characters.",
            ),
            color_check("label_color_format"),
        ]
        indexes = [models.Index(fields=["created_at"], name="label_all_created", condition=OF_ALL_OWNERS)]

    def __str__(self) -> str:
        return self.name

    def set_fields(self, values: Mapping[str, Any], *, at: datetime) -> set[str]:
        changed = super().set_fields(values, at=at)
        if "name" in values:
            self.comparable_name = comparable(self.name)
            changed.add("comparable_name")
        return changed


class Task(OrderedObject):
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
    project = container(Project)
    parent = container("self")
    labels = UUIDListField(default=list, blank=True)
    repeat = JSONTextField(null=True, blank=True)
    repeated = JSONTextField(null=True, editable=False)
    """What `repeat` was before the task was completed and its successor took it over."""
    series = models.UUIDField(null=True, editable=False)

    objects = TaskQuerySet.as_manager()  # type: ignore[misc]

    search_columns: ClassVar[tuple[str, ...]] = ("title", "description")
    siblings_share = ("parent", "project")

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
            models.CheckConstraint(
                condition=~Q(parent=F("id")), name="task_not_in_itself", violation_error_code="cycle"
            ),
            models.CheckConstraint(
                condition=Q(repeat__isnull=True) | Q(due_date__isnull=False) | Q(due_at__isnull=False),
                name="task_repeat_with_due",
                violation_error_code="without_due",
                violation_error_message="A repeating task needs due_date or due_at.",
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
            # Two, because PostgreSQL does not sort by an index of which an earlier column is null.
            models.Index(
                fields=["owner", "project", "position", "id"],
                name="task_position",
                condition=Q(project__isnull=False),
            ),
            models.Index(
                fields=["owner", "position", "id"], name="task_inbox", condition=Q(project__isnull=True)
            ),
            models.Index(
                fields=["owner", "parent", "position"], name="task_parent", condition=Q(parent__isnull=False)
            ),
            models.Index(
                fields=["owner", "series", "created_at"],
                name="task_series",
                condition=Q(series__isnull=False),
            ),
            models.Index(
                fields=["owner", "deleted_at", "id"],
                name="task_trashed",
                condition=Q(deleted_at__isnull=False),
            ),
            # For the admin's lists of all owners' tasks, its dashboard and the purge command. Without the id
            # where few tasks have the same time.
            models.Index(fields=["created_at"], name="task_all_created", condition=OF_ALL_OWNERS),
            models.Index(
                fields=["completed_at"],
                name="task_all_completed",
                condition=OF_ALL_OWNERS & Q(completed_at__isnull=False),
            ),
            models.Index(
                fields=["due_by", "id"],
                name="task_all_open",
                condition=OF_ALL_OWNERS & Q(completed=False, deleted_at__isnull=True),
            ),
            models.Index(
                fields=["deleted_at", "id"],
                name="task_all_trashed",
                condition=OF_ALL_OWNERS & Q(deleted_at__isnull=False),
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

    @property
    def due_day(self) -> date | None:
        """In the time zone of the task, which a repeating one always has."""
        if self.due_at:
            return self.due_at.astimezone(ZoneInfo(self.due_zone or "UTC")).date()
        return self.due_date

    def days_later(self, days: int) -> dict[str, Any]:
        """The values of due and start, moved by days. A time keeps its place on the clock on the wall."""
        moved: dict[str, Any] = {
            name: later(day, days) for name in ("due_date", "start_date") if (day := getattr(self, name))
        }
        if self.due_at:
            zone = ZoneInfo(self.due_zone or "UTC")
            local = self.due_at.astimezone(zone)
            moved["due_at"] = instant(later(local.date(), days), local.time(), zone)
        return moved

    def set_fields(self, values: Mapping[str, Any], *, at: datetime) -> set[str]:
        """Completing a completed task keeps its completed_at."""
        changed = super().set_fields(values, at=at)
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


class TaskLabel(Link):
    """A label of a task. The task's row has its labels, too."""

    pk = models.CompositePrimaryKey("owner", "task", "label")
    task = reference(Task, related_name="links")
    label = reference(Label)

    class Meta:
        indexes = [models.Index(fields=["owner", "label", "task"], name="tasklabel_label")]

    def __str__(self) -> str:
        return f"{self.task_id} {self.label_id}"
