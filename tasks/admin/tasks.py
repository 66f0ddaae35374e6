import uuid
from datetime import date, datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.text import Truncator

from todo_project.admin.actions import bulk_action
from todo_project.admin.inlines import user_inlines

from ..kinds import TASK
from ..ledger.admin.filters import LatestOwnerFilter
from ..ledger.admin.options import OUTSIDE_TRASH, LatestObjects, ObjectAdmin
from ..ledger.kinds import UPDATE
from ..models import Label, Project, Task
from ..operations import COMPLETE, MOVE, REOPEN
from .filters import LabelFilter, LevelFilter, ProjectFilter, TaskStateFilter
from .forms import LabelActionForm, ProjectActionForm, TaskForm, describe_repetition
from .links import colored, tasks_link


@admin.register(Task)
class TaskAdmin(ObjectAdmin):
    kind = TASK
    menu_order = 1
    form = TaskForm
    fields = [
        "title", "description", "completed", "priority", "project", "parent", "labels", "due_date", "due_at",
        "due_zone", "start_date", "repeat",
    ]  # fmt: skip
    read_only_names = {"labels": "label_links", "repeat": "repeat_text"}
    times_of_states = {**ObjectAdmin.times_of_states, "completed": "completed_at"}
    list_columns = (
        "title", "completed", "completed_at", "deleted_at", "due_date", "due_at", "due_by", "project",
        "labels", "created_at", "owner__email", "owner__name",
    )  # fmt: skip
    list_filter = [TaskStateFilter, LatestOwnerFilter, ProjectFilter, LabelFilter, LevelFilter, "created_at"]
    autocomplete_fields = ("owner", "parent")
    search_fields = Task.search_columns
    search_help_text = "Search by words of the title (3+ letters), by the owner's email or by task ID."
    actions = ["complete", "reopen", "move", "add_label", "remove_label", *ObjectAdmin.actions]
    page_actions = ["complete", "reopen", *ObjectAdmin.page_actions]
    useless_actions = {
        "state=open": ["reopen", "restore", "purge"],
        "state=overdue": ["reopen", "restore", "purge"],
        "state=completed": ["complete", "restore", "purge"],
        "state=trashed": ["complete", "reopen", "move", "add_label", "remove_label", "trash"],
    }

    @bulk_action(
        "Complete",
        permission="change",
        done="completed",
        only=("open", lambda tasks, user: tasks.live().open()),
    )
    def complete(self, request: HttpRequest, tasks: Any) -> list[Task]:
        return self.perform(COMPLETE, tasks)

    @bulk_action(
        "Reopen",
        permission="change",
        done="reopened",
        only=("completed", lambda tasks, user: tasks.live().completed()),
    )
    def reopen(self, request: HttpRequest, tasks: Any) -> list[Task]:
        return self.perform(REOPEN, tasks)

    @bulk_action(
        "Move to a project",
        permission="change",
        done="moved to {}",
        question="Move {} to a project",
        only=("outside the trash and at the top level", lambda tasks, user: tasks.live().without_parent()),
        form=ProjectActionForm,
    )
    def move(self, request: HttpRequest, tasks: Any, project: uuid.UUID | None) -> list[Task]:
        return self.perform(MOVE, tasks.without_parent(), {"project": project})

    @bulk_action(
        "Add a label",
        permission="change",
        done="labelled {}",
        question="Add a label to {}",
        only=OUTSIDE_TRASH,
        form=LabelActionForm,
    )
    def add_label(self, request: HttpRequest, tasks: Any, label: uuid.UUID) -> list[Task]:
        return self.perform(UPDATE, tasks, {"add_labels": [label]})

    @bulk_action(
        "Remove a label",
        permission="change",
        done="no longer labelled {}",
        question="Remove a label from {}",
        only=("outside the trash and labelled", lambda tasks, user: tasks.live().with_labels()),
        form=LabelActionForm,
    )
    def remove_label(self, request: HttpRequest, tasks: Any, label: uuid.UUID) -> list[Task]:
        return self.perform(UPDATE, tasks, {"remove_labels": [label]})

    def affected(self, action: str, selected: Any, rows: Any) -> list[Any]:
        ids = selected.live().values("pk")
        match action:
            case "complete":
                return [rows(Task).with_contents(ids).live().open()]
            case "reopen":
                completed_along = rows(Task).with_contents(ids).live().completed_with(selected)
                return [completed_along | rows(Task).with_containers(ids).completed()]
            case "move":
                return [rows(Task).with_contents(selected.live().without_parent().values("pk"))]
        return super().affected(action, selected, rows)

    # The change list

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [
            "short_title", self.owner_display(request), "state", "due", "project_link", "label_links",
            self.time_column(request),
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
    def project_link(self, task: Any) -> Any:
        project = task.shown_project
        if project is None:
            return ""
        return colored(project.color, tasks_link(task.owner_id, project, project=project.pk))

    @admin.display(description="labels")
    def label_links(self, task: Any) -> str:
        if not hasattr(task, "shown_labels"):
            self.add_related([task])
        links = [
            (colored(label.color, tasks_link(task.owner_id, label, label=label.pk)),)
            for label in task.shown_labels
        ]
        return format_html_join(", ", "{}", links) or self.get_empty_value_display()

    @admin.display(description="repeat")
    def repeat_text(self, task: Task) -> str:
        return describe_repetition(task) or self.get_empty_value_display()

    def search_words(self, rows: Any, words: list[str]) -> QuerySet[Task]:
        found: QuerySet[Task] = rows.title_contains(words)
        return found


@user_inlines.register("tasks")
class LatestTasks(LatestObjects):
    model = Task
    verbose_name_plural = "latest changed tasks"
    fields = ("completed", "priority", "due_date", "due_at", "created_at", "deleted_at")
