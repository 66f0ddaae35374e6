import uuid
from typing import Any

from django.utils import timezone

from todo_project.admin.changelist import ChoiceFilter

from ..ledger.admin.filters import ReferenceFilter
from ..models import Label, Project


class TaskStateFilter(ChoiceFilter):
    title = parameter_name = "state"
    CHOICES = {
        "open": ("Open", lambda tasks: tasks.live().open().due_first()),
        "overdue": ("Overdue", lambda tasks: tasks.live().overdue_in_utc(at=timezone.now()).due_first()),
        "completed": ("Completed", lambda tasks: tasks.live().completed().latest_completion_first()),
        "trashed": ("In the trash", lambda tasks: tasks.trashed().latest_trashed_first()),
    }


class ProjectStateFilter(ChoiceFilter):
    title = parameter_name = "state"
    CHOICES = {
        "active": ("Active", lambda projects: projects.live().active()),
        "archived": ("Archived", lambda projects: projects.live().archived().by_owner()),
        "trashed": ("In the trash", lambda projects: projects.trashed().latest_trashed_first()),
    }


class ProjectFilter(ReferenceFilter):
    title = parameter_name = "project"
    model = Project
    empty_label = "No project"

    def without(self, tasks: Any) -> Any:
        return tasks.without_project()

    def referring_to(self, tasks: Any, key: uuid.UUID) -> Any:
        return tasks.in_project(key)


class LabelFilter(ReferenceFilter):
    title = parameter_name = "label"
    model = Label
    empty_label = "No label"

    def without(self, tasks: Any) -> Any:
        return tasks.without_labels()

    def referring_to(self, tasks: Any, key: uuid.UUID) -> Any:
        return tasks.with_any_label([key])


class LevelFilter(ChoiceFilter):
    title = parameter_name = "level"
    CHOICES = {"top": ("Top level", lambda tasks: tasks.without_parent())}
