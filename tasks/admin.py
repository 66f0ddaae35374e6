"""Everybody's tasks in the admin. Each change is one of operations.py, or of purge.py."""

import uuid
from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import DELETION
from django.contrib.admin.widgets import AdminTextareaWidget
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils import timezone
from django.utils.text import Truncator

from todo_project.admin.csv import csv_file
from todo_project.admin.options import BelongsTo, BulkAction, Latest, SingleLineField, StaffAdmin, in_chunks
from todo_project.admin.search import searchable

from .models import Clock, Task
from .operations import CREATE, Operation, perform, perform_for_owners
from .purge import purge_everywhere
from .querysets import TaskQuerySet

EXPORTED = [
    "id", "owner_id", "owner__email", "title", "description", "completed", "completed_at", "priority",
    "due_at", "created_at", "updated_at", "deleted_at", "version",
]  # fmt: skip

KEPT = ["id", "version", "completed_at", "created_at", "updated_at", "deleted_at"]


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("open", "Open, the next due first"),
            ("overdue", "Overdue"),
            ("completed", "Completed"),
            ("trashed", "In the trash"),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> TaskQuerySet:
        match self.value():
            case "open":
                return queryset.live().open().due_first()
            case "overdue":
                return queryset.live().overdue(at=timezone.now()).due_first()
            case "completed":
                return queryset.live().completed().latest_completion_first()
            case "trashed":
                return queryset.trashed().latest_trashed_first()
        return queryset


class OwnerFilter(BelongsTo):
    ordering = ("-version",)


class Lines(forms.CharField):
    """A text of several lines. A browser sends each end of a line as two characters, which is no change."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").replace("\r\n", "\n")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class TaskForm(forms.ModelForm):
    """A task as it can be written, and the version that was looked at."""

    description = Lines(required=False, strip=False, max_length=5000, widget=AdminTextareaWidget)
    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Task
        fields = ("owner", "title", "description", "completed", "priority", "due_at")
        field_classes = {"title": SingleLineField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen_version"] = self.instance.version

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.instance.version != cleaned.get("seen_version"):
            raise ValidationError(
                "This task was changed while you looked at it. Nothing of yours was saved: open it again, "
                "and see what is still to do."
            )
        return cleaned


def move(verb: str) -> Any:
    def run(request: HttpRequest, chosen: list[uuid.UUID]) -> Iterator[list[Task]]:
        for keys in in_chunks(by_owner(chosen)):
            yield perform_for_owners(verb, keys)

    return run


def purge(request: HttpRequest, chosen: list[uuid.UUID]) -> Iterator[list[Task]]:
    for keys in in_chunks(by_owner(chosen)):
        yield purge_everywhere(keys)


def by_owner(chosen: list[uuid.UUID]) -> Any:
    """In the order in which the owners' clocks are locked."""
    return Task.objects.filter(pk__in=chosen).order_by("owner", "pk").values_list("pk", flat=True)


def export(tasks: TaskQuerySet) -> StreamingHttpResponse:
    rows: Any = tasks.values_list(*EXPORTED)
    return csv_file("tasks", EXPORTED, rows.in_batches_by("id"))


@admin.register(Task)
class TaskAdmin(StaffAdmin):
    form = TaskForm
    person = "owner"
    list_columns = (
        "title",
        "completed",
        "deleted_at",
        "priority",
        "due_at",
        "created_at",
        "owner__email",
        "owner__name",
    )
    list_select_related = ("owner",)
    list_filter = (StateFilter, OwnerFilter, "created_at")
    ordering = ("-created_at", "-pk")
    search_fields = ("title",)
    search_help_text = "Words of the title, three letters or more; or the owner's email; or a task's id."
    autocomplete_fields = ("owner",)
    bulk_actions = {
        "complete": BulkAction("Complete", "tasks.change_task", "completed", move("complete")),
        "reopen": BulkAction("Reopen", "tasks.change_task", "reopened", move("reopen")),
        "trash": BulkAction("Move to the trash", "tasks.change_task", "moved to the trash", move("delete")),
        "restore": BulkAction(
            "Restore from the trash", "tasks.change_task", "restored from the trash", move("restore")
        ),
        "purge": BulkAction(
            "Delete for good",
            "tasks.delete_task",
            "deleted for good",
            purge,
            warning="Only what is in the trash is deleted. Nobody can bring it back.",
            flag=DELETION,
        ),
        "export": BulkAction("Export as CSV", "tasks.export_task", "exported as CSV", answer=export),
    }

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return ["short_title", self.person_field(request), "state", "priority", "due_at", "created_at"]

    @admin.display(description="title")
    def short_title(self, task: Task) -> str:
        return Truncator(task.title).chars(80)

    def state(self, task: Task) -> str:
        if task.deleted_at:
            return "in the trash"
        if task.completed:
            return "completed"
        return "overdue" if task.due_at and task.due_at < timezone.now() else "open"

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        """What is looked for tells which index knows it."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=uuid.UUID(term)), False
        except ValueError:
            pass
        if "@" in term:
            owner = get_user_model().objects.filter(email=term.lower()).first()
            if owner is not None:
                return queryset.for_user(owner).latest_change_first(), False
        words = searchable(term)
        return queryset.title_contains(words) if words else self.reject_search(request, queryset), False

    # One task

    def get_fieldsets(self, request: HttpRequest, obj: Task | None = None) -> Any:
        written = ["title", "description", "completed", "priority", "due_at"]
        if obj is None:
            return [(None, {"fields": ["owner", *written]})]
        if self.has_change_permission(request, obj):
            written.append("seen_version")
        return [
            (None, {"fields": [self.person_field(request), *written]}),
            ("Kept by the server", {"fields": KEPT}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Task | None = None) -> list[str]:
        return [self.person_field(request), *KEPT] if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        """What is in the trash is restored before it is changed."""
        return super().has_change_permission(request, obj) and (obj is None or obj.deleted_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        """For good, and only from the trash."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.deleted_at is not None)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Task | None:
        """What is about to be written stays as it is read: its owner's clock is locked before."""
        task: Task | None = super().get_object(request, object_id, from_field)
        if task is not None and request.method == "POST":
            Clock.objects.tick_many({task.owner_id: 0})
            task = super().get_object(request, object_id, from_field)
        return task

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, *args, **kwargs)
        except PermissionDenied:
            if request.method != "POST" or object_id is None or not super().has_change_permission(request):
                raise
            # Somebody else has moved it to the trash while it was looked at.
            self.message_user(request, "Nothing was saved: this task is in the trash by now.", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Task, form: Any, change: bool) -> None:
        """Only what was changed is written, over the version that was looked at."""
        names = [name for name in form.changed_data if name not in {"owner", "seen_version"}]
        values = {name: form.cleaned_data[name] for name in names}
        if change:
            seen = form.cleaned_data["seen_version"]
            if values:
                perform(obj.owner, [Operation("update", obj.pk, values, seen.__eq__)])
        else:
            [task] = perform(obj.owner, [Operation(CREATE, values=values)])
            obj.pk = task.pk

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A task has nothing that goes with it."""
        tasks = list(objs)
        return [str(task) for task in tasks], {self.noun(len(tasks)): len(tasks)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Task) -> None:
        purge_everywhere([obj.pk])


class LatestTasks(Latest):
    model = Task
    verbose_name_plural = "tasks that changed last"
    shown = ("completed", "priority", "due_at", "created_at", "deleted_at")

    def get_queryset(self, request: HttpRequest) -> TaskQuerySet:
        tasks: TaskQuerySet = Task.objects.latest_change_first()
        return tasks
