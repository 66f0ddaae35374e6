"""The query parameters that all lists of objects take, and those of the feed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import models
from rest_framework import serializers

from todo_project.api.fields import InstantField, TextField
from todo_project.api.filters import Filter, parameters_of
from todo_project.api.pagination import PageParameters, ordering_parameter
from todo_project.api.parameters import DryRunParameters, NumberField, QueryParameters, UUIDListField

from .fields import AnyFieldsField, KindField
from .querysets import ObjectQuerySet
from .sync import Position


def time_filter(meaning: str, condition: Callable[[Any, datetime], ObjectQuerySet]) -> Filter:
    return Filter(
        InstantField(help_text=f"Only objects {meaning} this time."),
        lambda rows, at, context: condition(rows, at),
        models.DateTimeField(),
    )


SEARCH = {
    "q": Filter(
        TextField(max_length=200, help_text="Text to search for."),
        lambda rows, text, context: rows.search_text(text),
        models.TextField(),
        plan_each_time=True,
        timeout=2,  # A short or frequent word reads the texts of all of the owner's objects.
    )
}
FILTERS = SEARCH | {
    "ids": Filter(
        UUIDListField(max_length=100, help_text="Only objects with these IDs."),
        lambda rows, ids, context: rows.with_ids(ids),
        [models.UUIDField()],
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
    fields = AnyFieldsField()  # type: ignore[assignment]


class TrashParameters(QueryParameters):
    kind = KindField(has_trash=True, has_default=True)
    fields = AnyFieldsField()  # type: ignore[assignment]


class TrashPageParameters(TrashParameters, PageParameters, parameters_of(SEARCH)):  # type: ignore[misc]
    ordering = ordering_parameter("deleted_at", default="-deleted_at")


class TrashWriteParameters(DryRunParameters):
    kind = KindField(has_trash=True, has_default=True)


class EmptyTrashParameters(DryRunParameters):
    kind = KindField(has_trash=True, help_text="Only this kind; by default all.")
