"""All users' tasks. Every change goes through operations.py, so that the owners' clients sync it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import DELETION
from django.contrib.admin.utils import model_ngettext
from django.contrib.admin.widgets import AdminTextareaWidget
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils import timezone
from django.utils.text import Truncator

from todo_project.admin.actions import bulk_action
from todo_project.admin.changelist import ChoiceFilter, OwnerFilter
from todo_project.admin.csv import csv_response
from todo_project.admin.forms import MultiLineField, SingleLineField
from todo_project.admin.inlines import LatestInline, user_inlines
from todo_project.admin.options import BoundedModelAdmin
from todo_project.admin.search import indexed_words, parse_uuid, reject_search

from .kinds import TASK
from .ledger.kinds import CREATE, DELETE, PURGE, RESTORE, UPDATE
from .ledger.models import Clock
from .ledger.operations import Operation, perform, perform_for_owners
from .models import Task
from .querysets import TaskQuerySet

CSV_COLUMNS = [
    "id", "owner_id", "owner__email", "title", "description", "completed", "completed_at", "priority",
    "due_at", "created_at", "updated_at", "deleted_at", "version",
]  # fmt: skip

SYSTEM_FIELDS = ["id", "version", "completed_at", "created_at", "updated_at", "deleted_at"]


class StateFilter(ChoiceFilter):
    title = parameter_name = "state"
    CHOICES = {
        "open": ("Open, by due date", lambda tasks: tasks.live().open().due_first()),
        "overdue": ("Overdue", lambda tasks: tasks.live().overdue(at=timezone.now()).due_first()),
        "completed": ("Completed", lambda tasks: tasks.live().completed().latest_completion_first()),
        "trashed": ("In the trash", lambda tasks: tasks.trashed().latest_trashed_first()),
    }


class TaskOwnerFilter(OwnerFilter):
    ordering = ("-version",)


class TaskForm(forms.ModelForm):
    """The editable fields of a task, and the version that the form was opened with."""

    description = MultiLineField(required=False, strip=False, max_length=5000, widget=AdminTextareaWidget)
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
                "Your changes were not saved because someone else changed this task. Reload it and apply "
                "them again."
            )
        return cleaned


@admin.register(Task)
class TaskAdmin(BoundedModelAdmin):
    form = TaskForm
    owner_field = "owner"
    # The order in which the owners' clocks are locked.
    lock_order = ("owner", "pk")
    list_columns = (
        "title", "completed", "deleted_at", "priority", "due_at", "created_at", "owner__email", "owner__name",
    )  # fmt: skip
    list_select_related = ("owner",)
    list_filter = (StateFilter, TaskOwnerFilter, "created_at")
    ordering = ("-created_at", "-pk")
    search_fields = ("title",)
    search_help_text = "Search by words of the title (3+ letters), by the owner's email or by task ID."
    autocomplete_fields = ("owner",)
    actions = ("complete", "reopen", "trash", "restore", "purge", "export")

    @bulk_action("Complete", permission="tasks.change_task", done="completed")
    def complete(self, request: HttpRequest, tasks: Any) -> list[Task]:
        return perform_for_owners(TASK, "complete", tasks.values_list("pk", flat=True))

    @bulk_action("Reopen", permission="tasks.change_task", done="reopened")
    def reopen(self, request: HttpRequest, tasks: Any) -> list[Task]:
        return perform_for_owners(TASK, "reopen", tasks.values_list("pk", flat=True))

    @bulk_action("Move to the trash", permission="tasks.change_task", done="moved to the trash")
    def trash(self, request: HttpRequest, tasks: Any) -> list[Task]:
        return perform_for_owners(TASK, DELETE, tasks.values_list("pk", flat=True))

    @bulk_action("Restore from the trash", permission="tasks.change_task", done="restored from the trash")
    def restore(self, request: HttpRequest, tasks: Any) -> list[Task]:
        return perform_for_owners(TASK, RESTORE, tasks.values_list("pk", flat=True))

    @bulk_action(
        "Delete permanently",
        permission="tasks.delete_task",
        done="deleted permanently",
        warning="Only tasks in the trash are deleted. They cannot be restored.",
        flag=DELETION,
    )
    def purge(self, request: HttpRequest, tasks: Any) -> list[Task]:
        return perform_for_owners(TASK, PURGE, tasks.values_list("pk", flat=True))

    @bulk_action("Export as CSV", permission="tasks.export_task", done="exported as CSV", read_only=True)
    def export(self, request: HttpRequest, tasks: Any) -> StreamingHttpResponse:
        rows = tasks.values_list(*CSV_COLUMNS).in_batches_by("id")
        return csv_response("tasks", CSV_COLUMNS, rows)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return ["short_title", self.owner_display(request), "state", "priority", "due_at", "created_at"]

    @admin.display(description="title")
    def short_title(self, task: Task) -> str:
        return Truncator(task.title).chars(80)

    def state(self, task: Task) -> str:
        if task.deleted_at:
            return "in the trash"
        if task.completed:
            return "completed"
        return "overdue" if task.due_at and task.due_at < timezone.now() else "open"

    def search(self, request: HttpRequest, rows: Any, term: str) -> QuerySet[Task]:
        if key := parse_uuid(term):
            return rows.filter(pk=key)
        if "@" in term:
            owner = get_user_model().objects.filter(email=term.lower()).first()
            if owner is not None:
                return rows.for_user(owner).latest_change_first()
        words = indexed_words(term)
        return rows.title_contains(words) if words else reject_search(self, request, rows)

    # The page of a task

    def get_fieldsets(self, request: HttpRequest, obj: Task | None = None) -> Any:
        fields = [name for name in TaskForm.Meta.fields if name != "owner"]
        if obj is None:
            return [(None, {"fields": ["owner", *fields]})]
        if self.has_change_permission(request, obj):
            fields.append("seen_version")
        return [
            (None, {"fields": [self.owner_display(request), *fields]}),
            ("System fields", {"fields": SYSTEM_FIELDS}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Task | None = None) -> list[str]:
        return [self.owner_display(request), *SYSTEM_FIELDS] if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        """A task in the trash must be restored before it can be changed."""
        return super().has_change_permission(request, obj) and (obj is None or obj.deleted_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Task | None = None) -> bool:
        """Only tasks in the trash can be deleted permanently."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.deleted_at is not None)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Task | None:
        """Lock the owner's clock before the task is read for a change."""
        task: Task | None = super().get_object(request, object_id, from_field)
        if task is not None and request.method == "POST":
            Clock.objects.lock(task.owner)
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
            # Someone else has moved it to the trash since the form was opened.
            message = "Your changes were not saved because this task is now in the trash."
            self.message_user(request, message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Task, form: Any, change: bool) -> None:
        """Write only the changed fields, and only over the version that the form was opened with."""
        names = [name for name in form.changed_data if name not in {"owner", "seen_version"}]
        values = {name: form.cleaned_data[name] for name in names}
        if change:
            seen = form.cleaned_data["seen_version"]
            if values:
                perform(obj.owner, [Operation(TASK, UPDATE, obj.pk, values, versions={seen})])
        else:
            [task] = perform(obj.owner, [Operation(TASK, CREATE, values=values)])
            obj.pk = task.pk

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing is deleted along with a task."""
        tasks = list(objs)
        return [str(task) for task in tasks], {model_ngettext(self.opts, len(tasks)): len(tasks)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Task) -> None:
        perform_for_owners(TASK, PURGE, [obj.pk])


@user_inlines.register("tasks")
class LatestTasks(LatestInline):
    model = Task
    verbose_name_plural = "latest changed tasks"
    fields = ("completed", "priority", "due_at", "created_at", "deleted_at")

    def get_queryset(self, request: HttpRequest) -> TaskQuerySet:
        tasks: TaskQuerySet = Task.objects.latest_change_first()
        return tasks
