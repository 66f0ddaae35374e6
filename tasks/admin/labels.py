from django.contrib import admin

from todo_project.admin.forms import SingleLineField

from ..kinds import LABEL
from ..ledger.admin import ObjectAdmin, ObjectForm
from ..models import Label


class LabelForm(ObjectForm):
    class Meta:
        field_classes = {"name": SingleLineField}


@admin.register(Label)
class LabelAdmin(ObjectAdmin):
    kind = LABEL
    form = LabelForm
    fields = ["name", "color"]
