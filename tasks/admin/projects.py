from typing import Any

from django.contrib import admin

from todo_project.admin.forms import SingleLineField

from ..kinds import PROJECT
from ..ledger.admin import ObjectAdmin, ObjectForm
from ..models import Project


class ProjectChoiceForm(ObjectForm):
    """Offers archived projects only to what is in them."""

    def offered(self, objects: Any) -> Any:
        offered = super().offered(objects)
        if objects.model is not Project:
            return offered
        return offered.active() | objects.with_ids(self.instance.container_ids)


class ProjectForm(ProjectChoiceForm):
    class Meta:
        field_classes = {"name": SingleLineField}


@admin.register(Project)
class ProjectAdmin(ObjectAdmin):
    kind = PROJECT
    form = ProjectForm
    fields = ["name", "color", "parent"]
