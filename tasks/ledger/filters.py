"""The query parameters that all lists of objects take, and those of the feed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import DateTimeField
from rest_framework import serializers

from todo_project.api.fields import InstantField, TextField
from todo_project.api.filters import Filter, parameters_of
from todo_project.api.pagination import PageParameters, ordering_parameter
from todo_project.api.parameters import (
    DryRunParameters,
    FieldsField,
    NumberField,
    QueryParameters,
    UUIDListField,
)

from .kinds import kinds
from .querysets import ObjectQuerySet
from .sync import Position


def time_filter(meaning: str, condition: Callable[[Any, datetime], ObjectQuerySet]) -> Filter:
    return Filter(
        InstantField(help_text=f"Only objects {meaning} this time."),
        lambda rows, at, now: condition(rows, at),
        DateTimeField(),
    )


SEARCH = {
    "q": Filter(
        TextField(max_length=200, help_text="Text to search for."),
        lambda rows, text, now: rows.search_text(text),
        plan_each_time=True,
    )
}
FILTERS = SEARCH | {
    "ids": Filter(
        UUIDListField(max_length=100, help_text="Only objects with these IDs, separated by commas."),
        lambda rows, ids, now: rows.with_ids(ids),
        plan_each_time=True,
    ),
    "created_before": time_filter("created before", ObjectQuerySet.created_before),
    "created_after": time_filter("created after", ObjectQuerySet.created_after),
    "updated_after": time_filter("changed after", ObjectQuerySet.updated_after),
}


class PositionField(serializers.CharField):
    default_error_messages = {"invalid": "This field must be 0 or the `since` of an earlier response."}

    def to_internal_value(self, data: Any) -> Any:
        position = Position.parse(super().to_internal_value(data))
        if position is None:
            self.fail("invalid")
        return position


class SyncParameters(QueryParameters):
    since = PositionField(
        help_text="`since` of the previous response. Omit it, or send 0, in the first request."
    )
    limit = NumberField(default=200, min_value=1, max_value=500, help_text="Changes in a response.")

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "fields": any_field()}


class EmptyTrashParameters(DryRunParameters):
    """All kinds are emptied unless one is named."""

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "kind": kind_parameter()}


class TrashWriteParameters(DryRunParameters):
    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "kind": kind_parameter(default=next(iter(kinds)))}


class TrashParameters(QueryParameters):
    def get_fields(self) -> dict[str, Any]:
        kind = kind_parameter(default=next(iter(kinds)))
        return {**super().get_fields(), "kind": kind, "fields": any_field()}


class TrashPageParameters(TrashParameters, PageParameters, parameters_of(SEARCH)):  # type: ignore[misc]
    ordering = ordering_parameter("deleted_at", default="-deleted_at")


def kind_parameter(**options: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(
        choices=[kind.name for kind in kinds.values() if kind.has_trash],
        help_text="The kind of object.",
        required=False,
        **options,
    )


def any_field() -> FieldsField:
    """Selects among the fields of all kinds; each kind shows those that it has."""
    return FieldsField(
        dict.fromkeys(name for kind in kinds.values() for name in kind.field_names), required=False
    )
