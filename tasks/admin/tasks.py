import uuid
from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget, FilteredSelectMultiple
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import Truncator

from todo_project.admin.actions import bulk_action
from todo_project.admin.changelist import ChoiceFilter
from todo_project.admin.forms import MultiLineField, SingleLineField
from todo_project.admin.inlines import user_inlines

from ..kinds import TASK
from ..ledger.admin import LatestObjects, LatestOwnerFilter, ObjectAdmin
from ..models import Label, Task
from ..recurrence import MAX_LENGTH
from .projects import ProjectChoiceForm


class StateFilter(ChoiceFilter):
    title = parameter_name = "state"
    CHOICES = {
        "open": ("Open, by due date", lambda tasks: tasks.live().open().due_first()),
        "overdue": ("Overdue", lambda tasks: tasks.live().overdue_in_utc(at=timezone.now()).due_first()),
        "completed": ("Completed", lambda tasks: tasks.live().completed().latest_completion_first()),
        "trashed": ("In the trash", lambda tasks: tasks.trashed().latest_trashed_first()),
    }


ORIGINS = [("due", "after the due day"), ("completion", "after completion")]


class RepeatWidget(forms.MultiWidget):
    def __init__(self) -> None:
        super().__init__([AdminTextInputWidget(), forms.Select(choices=ORIGINS)])

    def decompress(self, value: Any) -> list[str]:
        return [value["rule"], value["from"]] if value else ["", "due"]


class RepeatField(forms.MultiValueField):
    widget = RepeatWidget

    def __init__(self, **options: Any) -> None:
        rule = forms.CharField(max_length=MAX_LENGTH, required=False)
        origin = forms.ChoiceField(choices=ORIGINS)
        super().__init__((rule, origin), require_all_fields=False, **options)

    def compress(self, values: list[str]) -> dict[str, str] | None:
        return {"rule": values[0], "from": values[1]} if values and values[0] else None


class TaskForm(ProjectChoiceForm):
    description = MultiLineField(required=False, strip=False, max_length=5000, widget=AdminTextareaWidget)
    repeat = RepeatField(required=False, help_text="A recurrence rule, such as FREQ=WEEKLY;BYDAY=MO,TH.")
    labels = forms.ModelMultipleChoiceField(
        Label.objects.all(), required=False, widget=FilteredSelectMultiple("labels", is_stacked=False)
    )

    class Meta:
        field_classes = {"title": SingleLineField}

    def clean_labels(self) -> list[uuid.UUID]:
        return [label.pk for label in self.cleaned_data["labels"]]


@admin.register(Task)
class TaskAdmin(ObjectAdmin):
    kind = TASK
    form = TaskForm
    fields = [
        "title", "description", "completed", "priority", "project", "parent", "labels", "due_date", "due_at",
        "due_zone", "start_date", "repeat",
    ]  # fmt: skip
    list_columns = (
        "title", "completed", "deleted_at", "priority", "due_date", "due_at", "due_by", "created_at",
        "owner__email", "owner__name",
    )  # fmt: skip
    list_filter = [StateFilter, LatestOwnerFilter, "created_at"]
    autocomplete_fields = ("owner", "parent")
    search_fields = Task.search_columns
    search_help_text = "Search by words of the title (3+ letters), by the owner's email or by task ID."
    actions = ["complete", "reopen", *ObjectAdmin.actions]

    @bulk_action("Complete", permission="change", done="completed")
    def complete(self, request: HttpRequest, tasks: Any) -> list[Task]:
        return self.perform("complete", tasks)

    @bulk_action("Reopen", permission="change", done="reopened")
    def reopen(self, request: HttpRequest, tasks: Any) -> list[Task]:
        return self.perform("reopen", tasks)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return ["short_title", self.owner_display(request), "state", "priority", "due", "created_at"]

    @admin.display(description="title")
    def short_title(self, task: Task) -> str:
        return Truncator(task.title).chars(80)

    @admin.display(ordering="due_by")
    def due(self, task: Task) -> date | datetime | None:
        return task.due_date or task.due_at

    def state(self, task: Task) -> str:
        if task.deleted_at:
            return "in the trash"
        if task.completed:
            return "completed"
        return "overdue" if task.due_by and task.due_by < timezone.now() else "open"

    def search_words(self, rows: Any, words: list[str]) -> QuerySet[Task]:
        found: QuerySet[Task] = rows.title_contains(words)
        return found


@user_inlines.register("tasks")
class LatestTasks(LatestObjects):
    model = Task
    verbose_name_plural = "latest changed tasks"
    fields = ("completed", "priority", "due_date", "due_at", "created_at", "deleted_at")
