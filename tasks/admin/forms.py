import uuid
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.utils import timezone

from todo_project.admin.forms import MultiLineField, SingleLineField

from ..ledger.admin.filters import NONE
from ..ledger.admin.forms import ObjectForm, OwnersChoiceForm
from ..models import Label, Project, Task
from ..operations import next_occurrences
from ..recurrence import MAX_LENGTH, Repeat
from .links import colored


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


class LabelForm(ObjectForm):
    class Meta:
        field_classes = {"name": SingleLineField}


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

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Without a rule there is nothing to repeat, whatever is selected beside it."""
        return bool(initial or (data and data[0])) and super().has_changed(initial, data)

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


class LabelsField(forms.ModelMultipleChoiceField):
    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, label: Any) -> Any:
        return colored(label.color, label)


class TaskForm(ProjectChoiceForm):
    description = MultiLineField(required=False, strip=False, max_length=5000, widget=AdminTextareaWidget)
    repeat = RepeatField(required=False, help_text="A recurrence rule, such as FREQ=WEEKLY;BYDAY=MO,TH.")
    labels = LabelsField(Label.objects.all(), required=False)

    class Meta:
        field_classes = {"title": SingleLineField}
        help_texts = {
            "due_at": "Due at this time, which is in UTC here.",
            "due_zone": "The time zone that the time was meant in, such as Europe/Berlin.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "repeat" in self.fields and (description := describe_repetition(self.instance)):
            self.fields["repeat"].help_text = description

    def offered(self, objects: Any) -> Any:
        offered = super().offered(objects)
        return offered.order_by("name") if objects.model is not Task else offered

    def in_words(self, name: str, value: Any) -> str:
        if name == "repeat" and value:
            return Repeat.read(value).describe()
        return super().in_words(name, value)

    def clean_labels(self) -> list[uuid.UUID]:
        return [label.pk for label in self.cleaned_data["labels"]]


class ProjectActionForm(OwnersChoiceForm):
    name = "project"
    model = Project
    other_choices = {NONE: "Inbox (no project)"}

    def offered(self, projects: Any) -> Any:
        return projects.active()


class LabelActionForm(OwnersChoiceForm):
    name = "label"
    model = Label
