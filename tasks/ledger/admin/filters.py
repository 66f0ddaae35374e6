import uuid
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model
from django.http import HttpRequest

from todo_project.admin.changelist import ChoiceFilter, OwnerFilter
from todo_project.admin.search import parse_uuid

from ..models import OwnedObject
from .forms import named_by_id

NONE = "none"


class TrashFilter(ChoiceFilter):
    title = parameter_name = "state"
    CHOICES = {
        "live": ("Not in the trash", lambda objects: objects.live()),
        "trashed": ("In the trash", lambda objects: objects.trashed().latest_trashed_first()),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return super().lookups(request, model_admin) if model_admin.kind.has_trash else []


class LatestOwnerFilter(OwnerFilter):
    ordering = ("-version",)


class ReferenceFilter(admin.SimpleListFilter):
    """The objects that refer to one of the owner's objects, or to none. Offered if an owner is selected."""

    model: type[OwnedObject]
    empty_label: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        owner_id = parse_uuid(request.GET.get("owner", ""))
        if owner_id is None:
            if self.value():
                raise IncorrectLookupParameters
            return []
        objects = self.model.objects.for_user(get_user_model()(pk=owner_id)).live()
        return [(NONE, self.empty_label), *named_by_id(objects).items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        if not value:
            return queryset
        if value == NONE:
            return self.without(queryset)
        if key := parse_uuid(value):
            return self.referring_to(queryset, key)
        raise IncorrectLookupParameters

    def without(self, objects: Any) -> Any:
        raise NotImplementedError

    def referring_to(self, objects: Any, key: uuid.UUID) -> Any:
        raise NotImplementedError
