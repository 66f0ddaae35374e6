from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from todo_project.admin.changelist import bounded_counts
from todo_project.admin.inlines import user_inlines

from ..kinds import LABEL
from ..ledger.admin.filters import LatestOwnerFilter
from ..ledger.admin.options import LatestObjects, ObjectAdmin
from ..models import Label, TaskLabel
from .forms import LabelForm
from .links import colored, tasks_link


@admin.register(Label)
class LabelAdmin(ObjectAdmin):
    kind = LABEL
    menu_order = 3
    form = LabelForm
    fields = ["name", "color"]
    list_columns = ("name", "color", "created_at", "owner__email", "owner__name")
    list_filter = [LatestOwnerFilter, "created_at"]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return ["name", self.owner_display(request), "shown_color", "tasks", "created_at"]

    def add_related(self, rows: list[Any]) -> None:
        counts = bounded_counts([TaskLabel.objects.for_user(row.owner).filter(label=row) for row in rows])
        for row, count in zip(rows, counts, strict=True):
            row.task_count = count

    @admin.display(description="color")
    def shown_color(self, label: Any) -> Any:
        return colored(label.color, label.color or "")

    @admin.display(description="tasks")
    def tasks(self, label: Any) -> str:
        """Including those in the trash, as in the list that it links to."""
        return tasks_link(label.owner_id, label.task_count, label=label.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        [label] = objs
        names, counts, *others = super().get_deleted_objects(objs, request)
        [number] = bounded_counts([TaskLabel.objects.for_user(label.owner).filter(label=label)])
        return names, {**counts, "tasks that lose it": number}, *others


@user_inlines.register("labels")
class LatestLabels(LatestObjects):
    model = Label
    verbose_name_plural = "latest changed labels"
    fields = ("color", "created_at")
