import json
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.utils import display_for_field
from django.contrib.auth import get_user_model
from django.core import signing
from django.core.exceptions import ValidationError
from django.forms.utils import pretty_name

from todo_project.admin.actions import ActionForm
from todo_project.admin.search import parse_uuid
from todo_project.api.errors import ApiError, ValidationFailed

from ..models import OwnedObject

NOTHING = "–"


class SeenValuesField(forms.Field):
    """The values of the columns when the form was opened. Signed, so that they need no validation."""

    widget = forms.HiddenInput

    def prepare_value(self, value: Any) -> str:
        return signing.dumps(json.loads(json.dumps(value, default=str)), salt=__name__)

    def to_python(self, value: Any) -> dict[str, Any] | None:
        try:
            values: dict[str, Any] = signing.loads(value or "", salt=__name__)
        except signing.BadSignature:
            return None
        return values

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


@dataclass(frozen=True)
class Conflict:
    """A field that someone else has changed since the form was opened."""

    label: str
    before: str
    after: str
    entered: str
    """What the user has entered, if they have changed it too."""


class ObjectForm(forms.ModelForm):
    """Includes the version and the values that the form was opened with."""

    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    seen_values = SeenValuesField(required=False)

    rejection: ApiError | None = None
    """Why an operation with these values failed."""
    conflicts: Sequence[Conflict] = ()
    entered: Mapping[str, str] = {}
    """In a conflict: what the user has changed, in words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Validation sets the entered values on the instance, even if they are not saved.
        self.stored = copy(self.instance)
        self.initial["seen_values"] = {name: self.initial[name] for name in self.columns}
        self.initial["seen_version"] = self.instance.version
        references: dict[str, Any] = {
            name: field
            for name, field in self.fields.items()
            if isinstance(field, forms.ModelChoiceField) and issubclass(field.queryset.model, OwnedObject)  # type: ignore[union-attr]
        }
        for name, field in references.items():
            if self.instance._state.adding:
                del self.fields[name]  # It is not known yet whose objects to offer.
            else:
                field.owner = self.instance.owner
                field.queryset = self.offered(field.queryset.for_user(field.owner).live())

    def offered(self, objects: Any) -> Any:
        """The objects that this one may refer to, of those of the same owner."""
        return objects.exclude(pk=self.instance.pk) if objects.model is type(self.instance) else objects

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and self.instance.version != cleaned["seen_version"]:
            advice = "Reload it and apply them again."
            if cleaned["seen_values"]:
                self.merge(cleaned)
                advice = "They are kept below: check them and save again."
            raise ValidationError(
                f"Your changes were not saved because someone else changed this "
                f"{self._meta.model._meta.verbose_name}. {advice}"
            )
        if self.rejection:
            name = (self.rejection.details.get("field") or "").partition(".")[0]
            self.add_error(name if name in self.fields else None, self.rejection.message)
        return cleaned

    @property
    def columns(self) -> list[str]:
        return [name for name in self.fields if name in self.initial and not name.startswith("seen_")]

    def merge(self, cleaned: Mapping[str, Any]) -> None:
        """Keep what the user has changed, show everything else as it is stored, and list the difference."""
        opened = copy(self.stored)
        for name, value in cleaned["seen_values"].items():
            column = opened._meta.get_field(name)
            setattr(opened, column.attname, column.to_python(value))
        form = type(self)(self.data, instance=opened)
        self.entered = {
            name: self.in_words(name, cleaned[name]) for name in self.columns if name in form.changed_data
        }
        self.conflicts = [
            Conflict(
                label=pretty_name(name),
                before=self.in_words(name, form.initial[name]),
                after=self.in_words(name, self.initial[name]),
                entered=self.entered.get(name, ""),
            )
            for name in self.columns
            if form.initial[name] != self.initial[name]
        ]
        for name in self.fields.keys() - self.entered.keys():
            self.fields[name].bound_data = lambda data, initial: initial  # type: ignore[method-assign]

    def in_words(self, name: str, value: Any) -> str:
        if isinstance(self.fields[name], forms.ModelChoiceField):
            column: Any = self.fields[name]
            keys = [getattr(each, "pk", each) for each in (value if isinstance(value, list) else [value])]
            objects = column.queryset.model.objects.for_user(self.stored.owner).with_ids(keys)
            return ", ".join(named_by_id(objects).values()) or NOTHING
        if isinstance(value, bool):
            return "yes" if value else "no"
        return display_for_field(value, self.stored._meta.get_field(name), NOTHING)


class OwnersChoiceForm(ActionForm):
    """Asks for an object of the owner of the selected rows."""

    name: ClassVar[str]
    model: ClassVar[type[OwnedObject]]
    other_choices: ClassVar[Mapping[str, str]] = {}

    def __init__(self, data: Any, *, rows: Any) -> None:
        super().__init__(data, rows=rows)
        owners = get_user_model().objects.filter(pk__in=rows.order_by().values("owner"))[:2]
        if len(owners) != 1:
            raise ValidationFailed.of(None, "invalid", "Select rows of one owner.")
        objects = self.offered(self.model.objects.for_user(owners[0]).live())
        self.choices = {**self.other_choices, **named_by_id(objects)}
        self.fields[self.name] = forms.TypedChoiceField(
            choices=[("", "---------"), *self.choices.items()], coerce=parse_uuid
        )

    def offered(self, objects: Any) -> Any:
        return objects

    @property
    def summary(self) -> str:
        return self.choices[self.data[self.name]]


def named_by_id(objects: Iterable[OwnedObject]) -> dict[str, str]:
    """The choices of a field or filter, in the order of their names."""
    return {str(each.pk): str(each) for each in sorted(objects, key=lambda each: str(each).casefold())}
