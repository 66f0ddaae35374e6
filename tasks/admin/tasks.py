import uuid
from datetime import date, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.text import Truncator

from todo_project.admin.actions import bulk_action
from todo_project.admin.changelist import ChoiceFilter
from todo_project.admin.forms import MultiLineField, SingleLineField
from todo_project.admin.inlines import user_inlines

from ..kinds import TASK
from ..ledger.admin import (
    NONE,
    LatestObjects,
    LatestOwnerFilter,
    ObjectAdmin,
    OwnersChoiceForm,
    ReferenceFilter,
)
from ..ledger.kinds import UPDATE
from ..models import Label, Project, Task
from ..operations import COMPLETE, MOVE, REOPEN, next_occurrences
from ..recurrence import MAX_LENGTH, Repeat
from .links import tasks_link
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


def describe_repetition(task: Task) -> str:
    """The rule in words, and the next three days."""
    if not task.repeat:
        return ""
    occurrences = next_occurrences(task, now=timezone.now(), zone=ZoneInfo(task.owner.time_zone))
    zone = ZoneInfo(task.due_zone or "UTC")
    days = [each["due_date"] or each["due_at"].astimezone(zone).date() for each in islice(occurrences, 3)]
    words = f"{Repeat.read(task.repeat).describe()}. "
    return words[0].upper() + words[1:] + (f"Next: {', '.join(map(str, days))}." if days else "The last one.")


class TaskForm(ProjectChoiceForm):
    description = MultiLineField(required=False, strip=False, max_length=5000, widget=AdminTextareaWidget)
    repeat = RepeatField(required=False, help_text="A recurrence rule, such as FREQ=WEEKLY;BYDAY=MO,TH.")
    labels = forms.ModelMultipleChoiceField(
        Label.objects.all(), required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        field_classes = {"title": SingleLineField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "repeat" in self.fields and (description := describe_repetition(self.instance)):
            self.fields["repeat"].help_text = description

    def offered(self, objects: Any) -> Any:
        offered = super().offered(objects)
        return offered.order_by("name") if objects.model is not Task else offered

    def clean_labels(self) -> list[uuid.UUID]:
        return [label.pk for label in self.cleaned_data["labels"]]


class MoveForm(OwnersChoiceForm):
    name = "project"
    other_choices = [(NONE, "Inbox (no project)")]

    def objects_of(self, owner: Any) -> Any:
        return Project.objects.for_user(owner).live().active().order_by("name")


class LabelForm(OwnersChoiceForm):
    name = "label"

    def objects_of(self, owner: Any) -> Any:
        return Label.objects.for_user(owner).order_by("name")


class ProjectFilter(ReferenceFilter):
    title = parameter_name = "project"
    empty_label = "No project"

    def choices_of(self, owner: Any) -> Any:
        return Project.objects.for_user(owner).live().order_by("name")

    def without(self, tasks: Any) -> Any:
        return tasks.without_project()

    def referring_to(self, tasks: Any, key: uuid.UUID) -> Any:
        return tasks.in_project(key)


class LabelFilter(ReferenceFilter):
    title = parameter_name = "label"
    empty_label = "No label"

    def choices_of(self, owner: Any) -> Any:
        return Label.objects.for_user(owner).order_by("name")

    def without(self, tasks: Any) -> Any:
        return tasks.without_labels()

    def referring_to(self, tasks: Any, key: uuid.UUID) -> Any:
        return tasks.with_any_label([key])


class LevelFilter(ChoiceFilter):
    title = parameter_name = "level"
    CHOICES = {"top": ("Top level", lambda tasks: tasks.without_parent())}


@admin.register(Task)
class TaskAdmin(ObjectAdmin):
    kind = TASK
    form = TaskForm
    fields = [
        "title", "description", "completed", "priority", "project", "parent", "labels", "due_date", "due_at",
        "due_zone", "start_date", "repeat",
    ]  # fmt: skip
    read_only_names = {"labels": "label_links", "repeat": "repeat_text"}
    list_columns = (
        "title", "completed", "deleted_at", "due_date", "due_at", "due_by", "project", "labels", "created_at",
        "owner__email", "owner__name",
    )  # fmt: skip
    list_filter = [StateFilter, LatestOwnerFilter, ProjectFilter, LabelFilter, LevelFilter, "created_at"]
    autocomplete_fields = ("owner", "parent")
    search_fields = Task.search_columns
    search_help_text = "Search by words of the title (3+ letters), by the owner's email or by task ID."
    actions = ["complete", "reopen", "move", "add_label", "remove_label", *ObjectAdmin.actions]

    @bulk_action("Complete", permission="change", done="completed")
    def complete(self, request: HttpRequest, tasks: Any) -> list[Task]:
        return self.perform(COMPLETE, tasks)

    @bulk_action("Reopen", permission="change", done="reopened")
    def reopen(self, request: HttpRequest, tasks: Any) -> list[Task]:
        return self.perform(REOPEN, tasks)

    @bulk_action(
        "Move to a project",
        permission="change",
        done="moved to {}",
        warning="Subtasks move along with the task that they are in. Selected subtasks are left unchanged.",
        form=MoveForm,
    )
    def move(self, request: HttpRequest, tasks: Any, project: uuid.UUID | None) -> list[Task]:
        return self.perform(MOVE, tasks.without_parent(), {"project": project})

    @bulk_action("Add a label", permission="change", done="labelled {}", form=LabelForm)
    def add_label(self, request: HttpRequest, tasks: Any, label: uuid.UUID) -> list[Task]:
        return self.perform(UPDATE, tasks, {"add_labels": [label]})

    @bulk_action("Remove a label", permission="change", done="no longer labelled {}", form=LabelForm)
    def remove_label(self, request: HttpRequest, tasks: Any, label: uuid.UUID) -> list[Task]:
        return self.perform(UPDATE, tasks, {"remove_labels": [label]})

    def affected(self, action: str, selected: Any) -> list[Any]:
        ids = selected.live().values("pk")
        match action:
            case "complete":
                return [Task.objects.with_contents(ids).live().open()]
            case "reopen":
                completed_along = Task.objects.with_contents(ids).live().completed_with(selected)
                return [completed_along | Task.objects.with_containers(ids).completed()]
            case "move":
                return [Task.objects.with_contents(selected.live().without_parent().values("pk"))]
        return super().affected(action, selected)

    # The change list

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [
            "short_title", self.owner_display(request), "state", "due", "project_link", "label_links",
            "created_at",
        ]  # fmt: skip

    def add_related(self, rows: list[Any]) -> None:
        projects = Project.objects.with_ids({row.project_id for row in rows} - {None})
        labels = Label.objects.with_ids({key for row in rows for key in row.labels})
        named = {(each.owner_id, each.pk): each for found in (projects, labels) for each in found}
        for row in rows:
            row.shown_project = named.get((row.owner_id, row.project_id))
            row.shown_labels = [each for key in row.labels if (each := named.get((row.owner_id, key)))]

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

    @admin.display(description="project")
    def project_link(self, task: Any) -> str:
        project = task.shown_project
        return tasks_link(task.owner_id, project, project=project.pk) if project else ""

    @admin.display(description="labels")
    def label_links(self, task: Any) -> str:
        if not hasattr(task, "shown_labels"):
            self.add_related([task])
        links = [(tasks_link(task.owner_id, label, label=label.pk),) for label in task.shown_labels]
        return format_html_join(", ", "{}", links)

    @admin.display(description="repeat")
    def repeat_text(self, task: Task) -> str:
        return describe_repetition(task)

    def search_words(self, rows: Any, words: list[str]) -> QuerySet[Task]:
        found: QuerySet[Task] = rows.title_contains(words)
        return found


@user_inlines.register("tasks")
class LatestTasks(LatestObjects):
    model = Task
    verbose_name_plural = "latest changed tasks"
    fields = ("completed", "priority", "due_date", "due_at", "created_at", "deleted_at")
