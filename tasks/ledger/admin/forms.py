from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from todo_project.admin.actions import ActionForm
from todo_project.admin.search import parse_uuid
from todo_project.api.errors import ApiError, ValidationFailed

from ..models import OwnedObject


class ObjectForm(forms.ModelForm):
    """Includes the version that the form was opened with."""

    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    rejection: ApiError | None = None
    """Why an operation with these values failed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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
        if self.instance.version != cleaned.get("seen_version"):
            raise ValidationError(
                f"Your changes were not saved because someone else changed this "
                f"{self._meta.model._meta.verbose_name}. Reload it and apply them again."
            )
        if self.rejection:
            name = (self.rejection.details.get("field") or "").partition(".")[0]
            self.add_error(name if name in self.fields else None, self.rejection.message)
        return cleaned


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
