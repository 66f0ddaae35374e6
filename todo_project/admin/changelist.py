"""Change lists that cost the same for any number of rows."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from todo_project.db.counting import capped_counts

COUNT_LIMIT = 1000
"""A list counts this many rows, and has no pages beyond them."""


class CappedCount(int):
    """A count that stopped at its limit."""

    def __str__(self) -> str:
        return f"{int(self)}+"


def capped(count: int) -> int:
    return count if count <= COUNT_LIMIT else CappedCount(COUNT_LIMIT)


def bounded_counts(querysets: Sequence[QuerySet[Any]]) -> list[int]:
    """The number of rows of each queryset, up to COUNT_LIMIT, in one query."""
    return [capped(count) for count in capped_counts(COUNT_LIMIT + 1, querysets)] if querysets else []


class BoundedPaginator(Paginator):
    """Counts up to COUNT_LIMIT: an unbounded COUNT(*) would read the whole table for each page."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        # Keeps the order of the list, so that the same index serves both queries.
        return capped(rows.values("pk")[: COUNT_LIMIT + 1].count())


class FixedOrderChangeList(ChangeList):
    """Keeps the order of the queryset: to sort by a column that is clicked would sort all rows."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return list(queryset.query.order_by)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        columns = getattr(self.model_admin, "list_columns", ())
        return rows.only(*columns) if columns else rows

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if request.method != "POST":  # An action does not show the rows.
            self.result_list = list(self.result_list)
            model_admin: Any = self.model_admin
            model_admin.add_related(self.result_list)


class ChoiceFilter(admin.SimpleListFilter):
    """A list filter, each choice of which calls a method of the queryset."""

    CHOICES: dict[str, tuple[str, Callable[[Any], Any]]]
    """The label of each value in the URL, and what it does to the queryset."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, label) for value, (label, _) in self.CHOICES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        choice = self.CHOICES.get(self.value() or "")
        return choice[1](queryset) if choice else queryset


class OwnerFilter(admin.SimpleListFilter):
    """The rows of one user. Only the selected user is listed: a list of all would grow with them."""

    title = "owner"
    parameter_name = "owner"
    field = "owner"
    ordering: tuple[str, ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value()
        if not value:
            return []
        try:
            owner = get_user_model().objects.filter(pk=value).first()
        except ValidationError as error:
            raise IncorrectLookupParameters(error) from error
        return [(value, str(owner or "unknown user"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        rows = queryset.filter(**{self.field: self.value()})
        return rows.order_by(*self.ordering) if self.ordering else rows
