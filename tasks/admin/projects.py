from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from todo_project.admin.actions import bulk_action
from todo_project.admin.changelist import bounded_counts
from todo_project.admin.inlines import user_inlines

from ..kinds import PROJECT
from ..ledger.admin.filters import LatestOwnerFilter
from ..ledger.admin.options import LatestObjects, ObjectAdmin
from ..models import Project, Task
from ..operations import ARCHIVE, UNARCHIVE
from .filters import ProjectStateFilter
from .forms import ProjectForm
from .links import colored, tasks_link


@admin.register(Project)
class ProjectAdmin(ObjectAdmin):
    kind = PROJECT
    menu_order = 2
    form = ProjectForm
    fields = ["name", "color", "parent"]
    times_of_states = {**ObjectAdmin.times_of_states, "archived": "archived_at"}
    list_columns = (
        "name", "color", "parent", "archived_at", "deleted_at", "created_at", "owner__email", "owner__name",
    )  # fmt: skip
    list_filter = [ProjectStateFilter, LatestOwnerFilter, "created_at"]
    actions = ["archive", "unarchive", *ObjectAdmin.actions]
    page_actions = ["archive", "unarchive", *ObjectAdmin.page_actions]
    useless_actions = {
        "state=active": ["unarchive", "restore", "purge"],
        "state=archived": ["archive", "restore", "purge"],
        "state=trashed": ["archive", "unarchive", "trash"],
    }

    @bulk_action(
        "Archive",
        permission="change",
        done="archived",
        only=("active", lambda projects, user: projects.live().active()),
    )
    def archive(self, request: HttpRequest, projects: Any) -> list[Project]:
        return self.perform(ARCHIVE, projects)

    @bulk_action(
        "Unarchive",
        permission="change",
        done="unarchived",
        only=("archived", lambda projects, user: projects.live().archived()),
    )
    def unarchive(self, request: HttpRequest, projects: Any) -> list[Project]:
        return self.perform(UNARCHIVE, projects)

    def affected(self, action: str, selected: Any, rows: Any) -> list[Any]:
        ids = selected.live().values("pk")
        match action:
            case "archive":
                return [rows(Project).with_contents(ids).live().active()]
            case "unarchive":
                archived_along = rows(Project).with_contents(ids).live().archived_with(selected)
                return [archived_along | rows(Project).with_containers(ids).archived()]
        return super().affected(action, selected, rows)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [
            "colored_name",
            self.owner_display(request),
            "parent_name",
            "state",
            "tasks",
            self.time_column(request),
        ]

    def add_related(self, rows: list[Any]) -> None:
        found = Project.objects.with_ids({row.parent_id for row in rows} - {None}).only("name", "owner")
        parents = {(each.owner_id, each.pk): each for each in found}
        counts = bounded_counts([Task.objects.for_user(row.owner).in_project(row.pk) for row in rows])
        for row, count in zip(rows, counts, strict=True):
            row.parent_name = parents.get((row.owner_id, row.parent_id))
            row.task_count = count

    @admin.display(description="name")
    def colored_name(self, project: Project) -> Any:
        return colored(project.color, project)

    @admin.display(description="in")
    def parent_name(self, project: Any) -> Any:
        return project.parent_name

    @admin.display(description="tasks")
    def tasks(self, project: Any) -> str:
        """Including those in the trash, as in the list that it links to."""
        return tasks_link(project.owner_id, project.task_count, project=project.pk)

    def state(self, project: Project) -> str:
        return {"trashed": "in the trash"}.get(project.state, project.state)


@user_inlines.register("projects")
class LatestProjects(LatestObjects):
    model = Project
    verbose_name_plural = "latest changed projects"
    fields = ("color", "archived_at", "created_at", "deleted_at")
